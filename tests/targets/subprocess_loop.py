"""Starts other programs and reads what they print."""
import subprocess

n_runs = 0
n_failed = 0
say({"ready": os.getpid()})
while True:
    done = subprocess.run(["/bin/echo", "hello"], stdout=subprocess.PIPE)
    n_runs += 1
    n_failed += done.returncode != 0 or done.stdout != b"hello\n"
    poll()
