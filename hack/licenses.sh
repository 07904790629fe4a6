#!/usr/bin/env bash
# Lists the modules that are compiled into the programs, with the licence that each carries, as THIRD_PARTY. With
# --check it only says whether the list is up to date. It reads the module cache and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

# license FOLDER names the licence by words that only its text has.
license() {
	local file
	file=$(find "$1" -maxdepth 1 -iname 'licen[sc]e*' -o -maxdepth 1 -iname 'copying*' | LC_ALL=C sort | head -1)
	[ -n "$file" ] || { echo none; return; }
	local text
	text=$(tr -s '[:space:]' ' ' <"$file")
	case "$text" in
	*'Apache License Version 2.0'* | *'Apache License, Version 2.0'*) echo Apache-2.0 ;;
	*'Mozilla Public License'*2.0*) echo MPL-2.0 ;;
	*'Permission to use, copy, modify, and'*'distribute this software'*) echo ISC ;;
	*'Permission is hereby granted, free of charge'*) echo MIT ;;
	*'Redistribution and use in source and binary forms'*'Neither the name'* | *'Redistribution and use in source and binary forms'*'name of'*'may not be used to endorse'* | *'Redistribution and use in source and binary forms'*'names of its contributors may'*) echo BSD-3-Clause ;;
	*'Redistribution and use in source and binary forms'*) echo BSD-2-Clause ;;
	*) echo unknown ;;
	esac
}

list() {
	echo '# What is compiled into the programs: module, version, licence. Made by hack/licenses.sh.'
	go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/... | LC_ALL=C sort -u |
		while read -r path version dir; do
			printf '%s %s %s\n' "$path" "$version" "$(license "$dir")"
		done
}

made=$(list)
if unclear=$(grep -E ' (none|unknown)$' <<<"$made"); then
	printf 'These modules carry no licence that hack/licenses.sh knows. Look at them, and add its words there:\n%s\n' "$unclear" >&2
	exit 1
fi
if [ "${1:-}" = --check ]; then
	diff <(cat THIRD_PARTY) <(echo "$made") >&2 || { echo 'THIRD_PARTY is not up to date: run hack/licenses.sh.' >&2; exit 1; }
else
	echo "$made" >THIRD_PARTY
fi
