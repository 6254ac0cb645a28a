module courselab.invalid/standin/pause

go 1.26.0
