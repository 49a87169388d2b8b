"""callgrind.py: reads what callgrind writes, by the format that valgrind's manual gives (Callgrind Format Specification), and gives for
each function its own instructions, those with everything it called, and how often it was called."""
import collections
import os
import re
import subprocess

NAME = re.compile(r"\((\d+)\)(?: (.*))?")


class Profile:
    def __init__(self, path=None):
        self.own = collections.Counter()
        self.inclusive = collections.Counter()
        self.calls = collections.Counter()
        if path:
            self.read(path)

    @property
    def total(self):
        return sum(self.own.values())

    def read(self, path):
        functions, objects = {}, {}
        function, library, callee_library, callee, is_call = "", "", None, "", False

        def name_of(text, table):
            number, name = NAME.fullmatch(text).groups()
            if name is not None:
                table[number] = name
            return table[number]

        def function_name(text, library):
            # A recursive call is 'f'2'; a stripped library's function is an address, and all of those of one library go together.
            name = name_of(text, functions).split("'")[0]
            return f"{os.path.basename(library)} (without a name)" if name.startswith("0x") else name

        with open(path) as file:
            for line in file:
                key, separator, value = line.rstrip("\n").partition("=")
                if not separator or line[0] in "0123456789+-*":
                    fields = line.split()
                    if len(fields) == 2 and line[0] in "0123456789+-*":
                        cost = int(fields[1])
                        if is_call:
                            # What a function spends in itself by way of itself is counted once.
                            if callee != function:
                                self.inclusive[callee] += cost
                            is_call = False
                        else:
                            self.own[function] += cost
                elif key == "ob":
                    library = name_of(value, objects)
                elif key == "fn":
                    function = function_name(value, library)
                elif key == "cob":
                    callee_library = name_of(value, objects)
                elif key == "cfn":
                    callee = function_name(value, callee_library or library)
                    callee_library = None
                elif key == "calls":
                    self.calls[callee] += int(value.split()[0])
                    is_call = True

    def per(self, less, count):
        """What each of `count` requests cost that this profile has beyond `less`."""
        each = Profile()
        for part in ("own", "inclusive", "calls"):
            mine, theirs, result = getattr(self, part), getattr(less, part), getattr(each, part)
            for name in mine.keys() | theirs.keys():
                result[name] = (mine[name] - theirs[name]) / count
        return each


def demangle(names):
    """Swift's names as one reads them; the others as they are."""
    output = subprocess.run(["swift", "demangle", "--simplified"], input="\n".join(names), capture_output=True, text=True)
    lines = output.stdout.split("\n")
    return dict(zip(names, lines if output.returncode == 0 else names))
