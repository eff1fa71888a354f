// What `pulumi preview --policy-pack policies` loads.
import { PolicyPack } from "@pulumi/policy";
import { policies } from "./policies.ts";

new PolicyPack("bottle", { description: "Checks every bottle before it exists.", policies });
