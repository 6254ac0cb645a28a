module course/web

go 1.24
