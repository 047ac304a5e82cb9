"""Runs the file `sys.argv[1]`, whose threads wait at known places."""
path = sys.argv[1]
with open(path) as file:
    exec(compile(file.read(), path, "exec"), globals())
serve()
