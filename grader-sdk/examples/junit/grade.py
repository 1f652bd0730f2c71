#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# grade.py: a Java class and the JUnit tests for it. Score: how many tests pass.
import html, json, pathlib, re, secrets, subprocess, sys

HERE = pathlib.Path(__file__).resolve().parent
CLASSES = "classes:/usr/share/java/junit4.jar:/usr/share/java/hamcrest.jar"
# A JVM reserves address space for the whole machine's memory; a run has --memory-mb of it.
JVM = ["-Xmx256m", "-Xss1m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=32m",
       "-XX:CompressedClassSpaceSize=64m", "-XX:-UsePerfData"]
COMPILE_SECONDS, TEST_SECONDS, TEXT_MAX = 30, 10, 4000


def answer(score, text):
    print(json.dumps({"correct": score == 1, "score": score, "msg": f"<pre>{html.escape(text[:TEXT_MAX])}</pre>"}))
    sys.exit(0)


def compile_all():
    """Ours and the student's. Returns what the compiler says when the student's does not compile."""
    ours = [str(HERE / "TriangleTest.java"), str(HERE / "Report.java")]
    javac = ["javac", *("-J" + flag for flag in JVM), "-proc:none", "-implicit:none", "-cp", CLASSES, "-d", "classes"]
    done = subprocess.run([*javac, *ours, "Triangle.java"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=COMPILE_SECONDS)
    if done.returncode and not re.search(r"^\w+\.java:\d+: error", done.stdout, re.MULTILINE):
        sys.exit(done.stdout)  # the compiler itself failed: tried again
    return done.stdout if done.returncode else None


def run_tests():
    """The report of the tests; None when they did not come to their end. What the student's class prints is not in it."""
    token = secrets.token_hex()
    with open("output", "wb") as output:  # a file, so that --file-mb bounds it
        try:
            subprocess.run(["java", *JVM, "-cp", CLASSES, "Report", "TriangleTest"], input=token.encode(), stdout=output,
                           stderr=subprocess.DEVNULL, timeout=TEST_SECONDS)
        except subprocess.TimeoutExpired:
            return None
    written = open("output", errors="replace").read()
    return json.loads(written.removeprefix(token)) if written.startswith(token) else None


pathlib.Path("classes").mkdir()
pathlib.Path("Triangle.java").write_text(json.load(sys.stdin)["student_response"])
complaints = compile_all()
if complaints is not None:
    answer(0, complaints)
report = run_tests()
if report is None:
    answer(0, f"The tests did not come to their end within {TEST_SECONDS} seconds.")
answer((report["run"] - len(report["failures"])) / report["run"],
       "\n".join(report["failures"]) or f"All {report['run']} tests pass.")
