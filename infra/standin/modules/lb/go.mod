module courselab.invalid/standin/lb

go 1.26.0
