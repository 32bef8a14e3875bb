// Package bench measures the whole gateway side by side with a reference, in one run: `task bench` prints the ratios.
package bench
