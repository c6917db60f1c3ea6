#!/usr/bin/env python3
"""The variables of the roles as a Markdown table, from argument_specs and defaults: variables.py COLLECTION."""
import pathlib
import sys

import yaml


def text(value):
    if value in ("", None):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ({}, []):
        return "none"
    return "`" + str(value).replace("|", "\\|") + "`"


def main(collection):
    print("<!-- variables: made by tests/ansible/variables.py -->")
    for role in ("coordinator", "node", "cli", "package"):
        home = pathlib.Path(collection) / "roles" / role
        specs = yaml.safe_load((home / "meta/argument_specs.yml").read_text())["argument_specs"]
        defaults = yaml.safe_load((home / "defaults/main.yml").read_text())
        print(f"\n### {role}\n\n{specs['main']['short_description']}\n")
        print("| variable | default | |\n| --- | --- | --- |")
        seen = set()
        for spec in specs.values():
            for name, option in spec.get("options", {}).items():
                if name in seen or (role != "package" and option["description"].startswith("See the role")):
                    continue
                seen.add(name)
                default = "required" if option.get("required") else text(defaults.get(name))
                choices = f" One of {', '.join(option['choices'])}." if "choices" in option else ""
                print(f"| `{name}` | {default} | {option['description']}{choices} |")
    print("\n<!-- end -->")


main(sys.argv[1])
