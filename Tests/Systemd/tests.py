"""tests.py LEADER WORK [NAME...]: every test in order, or those whose names begin so (what prepares the machine always runs). Each says
ok or what it missed; the last line is `N passed, N failed`."""
import pathlib
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import installing  # noqa: E402
import leaving  # noqa: E402
import log  # noqa: E402
import reloading  # noqa: E402
import restarting  # noqa: E402
import running  # noqa: E402
import watched  # noqa: E402
from machine import Failure, Machine  # noqa: E402
import site_dub1 as site  # noqa: E402

machine = Machine(sys.argv[1], sys.argv[2])
wanted = tuple(sys.argv[3:])
passed = failed = 0
is_configured = False


def run(test):
    global passed, failed
    began = time.monotonic()
    try:
        test(machine)
    except Exception as failure:
        failed += 1
        print(f"FAILED {test.__name__}: {failure if isinstance(failure, Failure) else traceback.format_exc()}")
        last = machine.inside("journalctl", "-u", "bailiwick", "-n", "10", "-o", "short-precise", check=False).stdout
        print("  " + "\n  ".join(line[:200] for line in last.splitlines()), flush=True)
        return False
    passed += 1
    print(f"ok {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def each(tests, after=None):
    for test in tests:
        if wanted and not test.__name__.startswith(wanted):
            continue
        run(test)
        if after:
            try:
                after(machine)
            except Failure as failure:
                print(f"  the gateway is not as it was before: {failure}", flush=True)


# Nothing works without these.
if all(run(test) for test in installing.first):
    each(installing.tests)
    if run(installing.a_gateway_is_set_up_as_readme_debian_says):
        for tests in (running.tests, reloading.tests, log.tests, watched.tests, restarting.tests):
            each(tests, site.renew)
        each(leaving.tests)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
