// Everything that is found in an image.
import type { Component } from "./component.ts";
import { debianOwned, debianPackages, operatingSystem } from "./debian.ts";
import { executables } from "./executables.ts";
import type { Files } from "./filesystem.ts";
import { nodePackages, pythonPackages } from "./languages.ts";

export function readComponents(files: Files): Component[] {
  const system = operatingSystem(files);
  const distribution = system && `${system.id}-${system.version}`;
  return [
    ...(system === undefined ? [] : [system]),
    ...debianPackages(files, distribution),
    ...pythonPackages(files),
    ...nodePackages(files),
    ...executables(files, debianOwned(files)),
  ];
}
