# page.awk: a document of docs/ as a manual page, so that there is one text of it.
#
#   awk -v name=NAME -v section=5 -v summary=TEXT -v date=DATE -v version=V -v also=PAGE -f page.awk DOCUMENT
#
# Knows what our documents use: headings, paragraphs, fenced code, lists of one level, tables, `code`, **bold**, *italic*
# words, [links](there).

# What stands between two marks is set in bold.
function bold(text, mark,    parts, n, i, out) {
    n = split(text, parts, mark)
    out = parts[1]
    for (i = 2; i <= n; i++)
        out = out (i % 2 ? "\\fR" : "\\fB") parts[i]
    return out
}

function inline(text,    shown) {
    gsub(/\\/, "\\(rs", text)
    gsub(/-/, "\\-", text)
    while (match(text, /\[[^]]*\]\([^)]*\)/)) {
        shown = substr(text, RSTART + 1, RLENGTH - 2)
        sub(/\].*/, "", shown)
        text = substr(text, 1, RSTART - 1) shown substr(text, RSTART + RLENGTH)
    }
    text = bold(bold(text, "`"), "[*][*]")
    while (match(text, /[*][A-Za-z]+[*]/))
        text = substr(text, 1, RSTART - 1) "\\fI" substr(text, RSTART + 1, RLENGTH - 2) "\\fR" substr(text, RSTART + RLENGTH)
    return text ~ /^[.\x27]/ ? "\\&" text : text
}

# | key | value | default |: the key as a tag, then the rest.
function row(line,    cells, n, text) {
    gsub(/\\\|/, "\001", line)
    n = split(line, cells, / *\| */)
    gsub("\001", "|", cells[2])
    gsub("\001", "|", cells[3])
    if (cells[2] ~ /^-+$/) {
        rows = 1
        return
    }
    if (!rows) {
        heading = cells[4]
        return
    }
    text = cells[3]
    if (n > 4 && cells[4] != "")
        text = text " (" (cells[4] == "required" ? "" : heading ": ") cells[4] ")"
    printf ".TP\n%s\n%s\n", inline(cells[2]), inline(text)
}

BEGIN {
    printf ".TH %s %s %s \"fleetcap %s\" \"fleetcap\"\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n", inline(name), section, date, version,
        inline(name), inline(summary)
    after = 1
}
/^```/ {
    print code ? ".fi\n.RE" : ".PP\n.RS\n.nf"
    code = !code
    next
}
code { print inline($0); next }
/^# / { next }
/^## / { printf ".SH %s\n", inline(toupper(substr($0, 4))); after = 1; next }
/^\|/ { row($0); table = 1; after = 0; next }
/^$/ {
    if (!after || table || item)
        paragraph = 1
    table = rows = item = 0
    next
}
/^- / { printf ".IP \\(bu 2\n%s\n", inline(substr($0, 3)); item = 1; after = paragraph = 0; next }
{
    if (paragraph && !after)
        print ".PP"
    sub(/^  /, "")
    print inline($0)
    after = paragraph = 0
}
END { printf ".SH \"SEE ALSO\"\n.BR %s\n", inline(also) }
