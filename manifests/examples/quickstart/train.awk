# Trains a softmax classifier on iris.csv by gradient descent and says how good it is.
# Environment: RATE (step size), EPOCHS, and DECAY (weight decay). Every fifth flower is kept for
# the test. The result goes to the log and, as JSON, to the termination message.
BEGIN {
	FS = ","
	rate = ENVIRON["RATE"] + 0; epochs = ENVIRON["EPOCHS"] + 0; decay = ENVIRON["DECAY"] + 0
}
FNR == 1 { next }
{
	n++
	x[n, 0] = 1
	for (j = 1; j <= 4; j++) x[n, j] = $j / 10
	if (!($5 in class)) { class[$5] = ++classes }
	y[n] = class[$5]
}
# guess fills p with the probability of every class for one flower.
function guess(i,    k, j, z, sum) {
	sum = 0
	for (k = 1; k <= classes; k++) {
		z = 0
		for (j = 0; j <= 4; j++) z += w[k, j] * x[i, j]
		p[k] = exp(z); sum += p[k]
	}
	for (k = 1; k <= classes; k++) p[k] /= sum
}
END {
	if (rate <= 0 || epochs <= 0) { print "train: set RATE and EPOCHS to positive numbers" > "/dev/stderr"; exit 2 }
	for (e = 1; e <= epochs; e++) {
		loss = 0
		for (i = 1; i <= n; i++) {
			if (i % 5 == 0) continue
			guess(i)
			loss -= log(p[y[i]])
			for (k = 1; k <= classes; k++) {
				error = p[k] - (k == y[i])
				for (j = 0; j <= 4; j++) w[k, j] -= rate * (error * x[i, j] + decay * w[k, j])
			}
		}
		if (e == 1 || e % 50 == 0) printf "epoch %d loss %.4f\n", e, loss / (n - int(n / 5))
	}
	for (i = 5; i <= n; i += 5) {
		guess(i); tested++; best = 1
		for (k = 2; k <= classes; k++) if (p[k] > p[best]) best = k
		right += (best == y[i])
	}
	result = sprintf("{\"accuracy\": %.4f, \"loss\": %.4f}", right / tested, loss / (n - int(n / 5)))
	print result
	message = ENVIRON["TERMINATION_MESSAGE_PATH"]
	if (message != "") print result > message
}
