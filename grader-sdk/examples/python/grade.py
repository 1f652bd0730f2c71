#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# grade.py: runs a Python program on each test of its problem. The student's program sees no expected answer: it runs apart.
import html, json, pathlib, re, subprocess, sys

HERE = pathlib.Path(__file__).resolve().parent
APART = [str(HERE.parent / "apart.py"), str(HERE / "problems")]
SECONDS, OUTPUT_BYTES_MAX = 2, 10_000


def read_tests(payload):
    name = json.loads(payload or "{}").get("problem", "")
    file = HERE / "problems" / f"{name}.json"
    if not re.fullmatch("[a-z0-9_]+", name) or not file.is_file():
        print(f"There is no problem {html.escape(name)!r}.")
        sys.exit(65)  # not gradable
    return json.loads(file.read_text())


def run(test):
    """(has passed, what to say of it)"""
    with open("output", "wb") as output, open("complaints", "wb") as complaints:  # files, so that --file-mb bounds them
        try:
            code = subprocess.run([*APART, "/usr/bin/python3", "-I", "work/program.py"], input=test["input"].encode(),
                                  stdout=output, stderr=complaints, timeout=SECONDS).returncode
        except subprocess.TimeoutExpired:
            return False, f"took more than {SECONDS} seconds"
    if code != 0:
        return False, "ended with an error: " + open("complaints", errors="replace").read(OUTPUT_BYTES_MAX)
    printed = open("output", errors="replace").read(OUTPUT_BYTES_MAX)
    return (True, "passed") if printed.split() == test["output"].split() else (False, f"printed {printed[:100]!r}")


submission = json.load(sys.stdin)
tests = read_tests(submission["grader_payload"])
for known in ("submission.json", "body", "grader_payload"):  # what the LMS tells the grader is not the student's business
    pathlib.Path(known).unlink(missing_ok=True)
pathlib.Path("work").mkdir()
pathlib.Path("work/program.py").write_text(submission["student_response"])
if subprocess.run([*APART, "true"]).returncode != 0:
    sys.exit(75)  # this machine cannot run it apart; standard error says why
outcomes = [(test["name"], *run(test)) for test in tests]
passed = sum(is_right for _, is_right, _ in outcomes)
lines = "".join(f"<li>{html.escape(name)}: <pre>{html.escape(says)}</pre></li>" for name, _, says in outcomes)
print(json.dumps({"correct": passed == len(tests), "score": passed / len(tests), "msg": f"<ul>{lines}</ul>"}))
