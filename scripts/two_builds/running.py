"""Running the program as a user does: to its end, or as a process that is stopped or killed."""

import functools
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

from .normalise import normalised

# Without environment variables that could change the output.
PLAIN = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1"}
PATIENCE = 60


def run(build, args, cwd, stdin=b"", env=None, seconds=120):
    """Runs to the end; exit code, standard output and standard error as one text, without what differs between runs."""
    program, env = [build.program, *args], {**PLAIN, "HOME": str(cwd), **(env or {})}
    done = subprocess.run(program, cwd=cwd, env=env, input=stdin, capture_output=True, timeout=seconds)
    out, err = (raw.decode("utf-8", "backslashreplace") for raw in (done.stdout, done.stderr))
    return normalised(f"exit {done.returncode}\n--- out\n{out}--- err\n{err}", cwd)


def must(build, args, cwd, **options):
    """Like `run`, for commands that must not fail."""
    told = run(build, args, cwd, **options)
    if not told.startswith("exit 0\n"):
        raise RuntimeError(f"{build.name}: slipstream {' '.join(map(str, args))}: {told}")
    return told


def output(told):
    """Standard output in the result of `run`."""
    return told.split("--- out\n", 1)[1].rsplit("--- err\n", 1)[0]


@functools.cache
def has_api(program):
    """Whether a build has the API, which listens as well."""
    return b"--api-listen" in subprocess.run([program, "run", "--help"], capture_output=True).stdout


class Process:
    """A `slipstream run` with a gateway on its own port."""

    def __init__(self, build, cwd, args, port):
        self.gateway, self.ops = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
        listen = ["--listen", f"127.0.0.1:{port}", "--ops-listen", f"127.0.0.1:{port + 1}"]
        if has_api(build.program):
            listen += ["--api-listen", "127.0.0.1:0"]
        self.said = cwd / f"stderr-{time.monotonic_ns()}"
        with open(self.said, "wb") as err:
            env = {**PLAIN, "HOME": str(cwd)}
            program = [build.program, "run", *listen, *args]
            self.child = subprocess.Popen(program, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=err)
        try:
            until(lambda: self.alive() and ask(f"{self.ops}/readyz")[0] == 200, f"{build.name} is ready")
        except BaseException:
            self.kill()
            raise

    def alive(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"it exited with {self.child.returncode}: {self.stderr()}")
        return True

    def stderr(self):
        return self.said.read_text(errors="backslashreplace")

    def post(self, body, path="/v1/events", headers=None):
        return ask(self.gateway + path, body, headers or {"Content-Type": "application/json"})

    def stop(self):
        """SIGTERM; its exit code."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(PATIENCE)

    def kill(self):
        self.child.kill()
        self.child.wait()


def ask(url, body=None, headers=None, method=None):
    """Status, headers and body of a response; status 0 if there is none."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()
    except OSError:
        return 0, {}, ""


def until(holds, what, seconds=PATIENCE, pause=0.05):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"timed out after {seconds} s waiting until {what}")
        time.sleep(pause)
