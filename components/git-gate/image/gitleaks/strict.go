package main

import (
	"fmt"
	"regexp"
	"strings"
)

// What a rule looks like that knows a secret only by the words before it, such as `api_key = …`.
const byContext = `regex = '''(?i)[\w.-]{0,50}?`

var (
	allowedPaths = regexp.MustCompile(`(?s)\[allowlist\]\ndescription = "global allow lists"\n(paths = \[\n.*?\n\]\n)`)
	ruleID       = regexp.MustCompile(`(?m)^id = "([^"]+)"$`)
)

// strict rewrites gitleaks' default rules: its list of paths that are never looked at (images, lock files,
// node_modules, vendor …) then holds only for rules that guess by context. A token with a shape of its own is
// found wherever it is; else whoever pushes picks the file's name. Panics where the text is not the one it knows.
func strict(text string) string {
	paths := allowedPaths.FindStringSubmatch(text)
	if paths == nil {
		panic("gitleaks' default configuration has no list of paths where it is expected")
	}
	head, rules, _ := strings.Cut(text, "\n[[rules]]\n")
	var targets []string
	for _, rule := range strings.Split(rules, "\n[[rules]]\n") {
		if strings.Contains(rule, byContext) || strings.Contains(rule, `id = "sourcegraph-access-token"`) {
			targets = append(targets, fmt.Sprintf("%q", ruleID.FindStringSubmatch(rule)[1]))
		}
	}
	if len(targets) < 20 {
		panic("gitleaks' default configuration has no rules where they are expected")
	}
	head = strings.Replace(head, paths[0], "[[allowlists]]\ndescription = \"global allow lists\"\n", 1)
	targeted := fmt.Sprintf("\n[[allowlists]]\ntargetRules = [%s]\n%s", strings.Join(targets, ", "), paths[1])
	return head + targeted + "\n[[rules]]\n" + rules
}
