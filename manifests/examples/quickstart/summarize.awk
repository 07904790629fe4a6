# Means and standard deviations of one column of iris.csv per species. Environment: COLUMN (a name).
BEGIN { FS = ","; column = ENVIRON["COLUMN"] }
FNR == 1 {
	for (j = 1; j <= NF; j++) if ($j == column) c = j
	if (!c) { printf "summarize: iris.csv has no column \"%s\"; set COLUMN to one of: %s\n", column, $0 > "/dev/stderr"; exit 2 }
	next
}
{ n[$5]++; sum[$5] += $c; square[$5] += $c * $c }
END {
	for (s in n) {
		mean = sum[s] / n[s]
		printf "%s %s mean %.3f deviation %.3f\n", s, column, mean, sqrt(square[s] / n[s] - mean * mean)
	}
}
