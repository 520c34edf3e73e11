#!/bin/sh
# One task: a pendulum let go at ANGLE (rad) with friction DAMPING swings for a while.
#   theta'' = -sin(theta) - DAMPING * theta'        (time in units of sqrt(length / g))
# The result, one line in results/, is the time of its first full swing, and the share of its energy that is
# left after 20 units of time. The same numbers give the same line, however often the task is run.
set -eu
angle=$1
damping=$2

mkdir -p results
result=results/$angle-$damping.csv
# Written beside and moved: a task that is killed half-way leaves no half-written result.
trap 'rm -f "$result.$$"' EXIT
LC_ALL=C awk -v angle="$angle" -v damping="$damping" '
function pull(theta, speed) { return -sin(theta) - damping * speed }

# One step of the classical Runge-Kutta method.
function step(h,    k1, k2, k3, k4, s2, s3, s4) {
    k1 = pull(theta, speed)
    s2 = speed + h / 2 * k1; k2 = pull(theta + h / 2 * speed, s2)
    s3 = speed + h / 2 * k2; k3 = pull(theta + h / 2 * s2, s3)
    s4 = speed + h * k3;     k4 = pull(theta + h * s3, s4)
    theta += h / 6 * (speed + 2 * s2 + 2 * s3 + s4)
    speed += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
}

function energy() { return 1 - cos(theta) + speed * speed / 2 }

BEGIN {
    h = 0.01
    theta = angle + 0; speed = 0
    start = energy()
    for (n = 1; n <= 2000; n++) {
        before = speed
        step(h)
        # The first return: the speed, negative on the way out, passes zero twice. In between, a straight line.
        if (before * speed < 0 && ++turns == 2) period = h * (n - 1 + before / (before - speed))
    }
    printf "%s,%s,%.6f,%.6f\n", angle, damping, period, energy() / start
}' >"$result.$$"
mv "$result.$$" "$result"
