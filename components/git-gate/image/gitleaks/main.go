// gitleaks 8.29.1 as it is, with one command more (`gitleaks fragments`, see fragments.go) and stricter defaults.
package main

import (
	"os"

	"github.com/zricethezav/gitleaks/v8/cmd"
	"github.com/zricethezav/gitleaks/v8/config"
)

func main() {
	config.DefaultConfig = strict(config.DefaultConfig)
	if len(os.Args) == 2 && os.Args[1] == "fragments" {
		os.Exit(fragments(os.Stdin, os.Stdout, os.Stderr))
	}
	cmd.Execute()
}
