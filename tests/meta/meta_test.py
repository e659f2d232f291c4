#!/usr/bin/python3 -B
"""Each check of tools/meta accepts a small good tree, and refuses it with one thing made wrong."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools/meta"

HEADER = """/* kin/top.h - an example. */
#ifndef KIN_TOP_H
#define KIN_TOP_H

#ifdef __cplusplus
extern "C" {
#endif

#define KIN_API __attribute__((visibility("default")))

/* kin_top: a thing.
 *
 * Owner:     whoever made it.
 * Threads:   any.
 * Processes: one.
 * Fork:      the child has its own.
 * Death:     nothing happens. */
typedef struct kin_top kin_top;

/* Spins it, or stops it. */
KIN_API int kin_top_spin(kin_top *top);
KIN_API int kin_top_stop(kin_top *top);

#ifdef __cplusplus
}
#endif
#endif
"""
SOURCE = """#include "../bottom/room.h"
#include <kin/top.h>

int kin_top_spin(kin_top *top)
{
    return top ? kin__bottom_answer() : -1;
}

int kin_top_stop(kin_top *top)
{
    return top ? 0 : -1;
}
"""
GOOD = {
    "src/FLOORS": "# lowest first\nos\nbottom beside\ntop\n",
    "src/os/os.c": "#include <unistd.h>\n\nint kin__os_pid(void)\n{\n    return getpid();\n}\n",
    "src/os/README.md": "os",
    "src/bottom/room.h": "int kin__bottom_answer(void);\n",
    "src/bottom/bottom.c": '#include "room.h"\n\nint kin__bottom_answer(void)\n{\n'
                           "    return 42; /* not fork() */\n}\n",
    "src/bottom/README.md": "bottom",
    "src/beside/room.h": "int kin__beside(void);\n",
    "src/top/top.c": SOURCE,
    "src/top/README.md": "top",
    "include/kin/top.h": HEADER,
    "tests/unit/os/os_test.c": "TEST(the_os_answers)\n{\n}\n",
    "tests/unit/bottom/bottom_test.c": "TEST_WITHIN(60, the_bottom_answers)\n{\n}\n",
    "tests/unit/top/top_test.c": "TEST(a_top_spins)\n{\n}\n",
    "examples/01_top.c": "int main(void)\n{\n    return 0;\n}\n",
    "examples/01_top.expected": "",
    "docs/from-python.md": "| Python | kin | test |\n|---|---|---|\n"
                           "| spin | kin_top_spin | `a_top_spins`, `the_bottom_answers` |\n"
                           "| whirl | - | not yet |\n| GIL | - | does not apply: there is none |\n",
    "tools/waivers.txt": "# none\n",
}


def long_function(lines):
    return "int kin_long(void)\n{\n" + "    kin_long();\n" * (lines - 3) + "}\n"


class Meta(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        for path, text in GOOD.items():
            self.write(path, text)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def run_check(self, check):
        return subprocess.run([TOOLS / check, self.root], capture_output=True, text=True)

    def accepts(self, check):
        done = self.run_check(check)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def refuses(self, check, path, text, why):
        self.accepts(check)
        self.write(path, text)
        done = self.run_check(check)
        self.assertEqual(done.returncode, 1, f"{check} accepts {path}")
        self.assertIn(why, done.stdout + done.stderr)

    def build_library(self, source):
        folder = self.root / "build/release"
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-", "-o", folder / "libkin.so"],
                       input=source, text=True, check=True)

    def test_an_include_upwards(self):
        self.refuses("floors", "src/bottom/b.c", '#include "../top/room.h"\n', "not below bottom")

    def test_an_include_of_a_neighbour(self):
        self.refuses("floors", "src/bottom/b.c", '#include "../beside/room.h"\n', "not below")

    def test_a_public_header_that_includes_upwards(self):
        self.refuses("floors", "include/kin/os.h", "#include <kin/top.h>\n", "not below os")

    def test_a_room_without_a_floor(self):
        self.refuses("floors", "src/attic/a.c", "\n", "attic is not in src/FLOORS")

    def test_a_function_that_is_too_long(self):
        self.refuses("sizes", "tests/t.c", long_function(61), "61 lines; 60 at most")

    def test_long_functions_on_the_whole(self):
        self.refuses("sizes", "src/top/l.c",
                     "".join(long_function(20).replace("kin_long", f"f{i}") for i in range(9)),
                     "20 lines; 12 at most")

    def test_a_waiver_lets_it_be(self):
        self.write("tests/t.c", long_function(61))
        self.write("tools/waivers.txt", "function tests/t.c:kin_long it is a table\n")
        self.accepts("sizes")

    def test_a_waiver_that_nobody_needs(self):
        self.write("tests/t.c", long_function(61))
        self.write("tools/waivers.txt", "function tests/t.c:kin_long a\nfunction tests/u.c:f b\n")
        done = self.run_check("sizes")
        self.assertIn("nobody needs the line: function tests/u.c:f", done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_a_file_that_is_too_long(self):
        self.refuses("sizes", "tests/t.c", "int x;\n" * 701, "701 lines; 700 at most")

    def test_too_many_parameters(self):
        self.refuses("sizes", "tests/t.c",
                     "int f(int a, int b, int c, int d, int e, int g)\n{\n    return 0;\n}\n",
                     "6 parameters")

    def test_blocks_too_deep(self):
        body = "".join("    " * depth + "if (a) {\n" for depth in range(1, 5))
        self.refuses("sizes", "tests/t.c", f"int f(int a)\n{{\n{body}" + "}\n" * 5, "3 blocks deep")

    def test_a_header_that_needs_another(self):
        self.refuses("headers", "include/kin/os.h", "size_t kin_size(void);\n", "compile alone")

    def test_a_header_that_is_not_cpp(self):
        self.refuses("headers", "include/kin/os.h", "int kin_new(int class);\n", "c++17")

    def test_a_symbol_that_no_header_declares(self):
        self.build_library("int kin_top_spin(void){return 0;} int kin_top_stop(void){return 0;}")
        self.accepts("exports")
        self.build_library("int kin_top_spin, kin_top_stop, kin_extra;")
        self.assertIn("exports kin_extra", self.run_check("exports").stdout)

    def test_a_declaration_that_is_not_exported(self):
        self.build_library("int kin_top_spin;")
        done = self.run_check("exports")
        self.assertIn("does not export kin_top_stop", done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_a_declaration_without_a_comment(self):
        self.build_library("int kin_top_spin, kin_top_stop;")
        self.refuses("exports", "include/kin/top.h",
                     HEADER.replace("KIN_API int kin_top_stop", "\nKIN_API int kin_top_stop"),
                     "no comment directly above kin_top_stop")

    def test_a_system_call_outside_os(self):
        self.refuses("banned", "src/top/b.c", "int f(void)\n{\n    return fork();\n}\n",
                     "src/top/b.c:3: fork")

    def test_a_call_without_bounds(self):
        self.refuses("banned", "src/os/b.c", "void f(void)\n{\n    strcpy(a, b);\n}\n", "strcpy")

    def test_the_wall_clock_even_in_os(self):
        self.refuses("banned", "src/os/b.c", "int f(void)\n{\n    return CLOCK_REALTIME;\n}\n",
                     "src/os/b.c:3: CLOCK_REALTIME")

    def test_a_wait_by_the_wall_clock(self):
        self.refuses("banned", "src/os/b.c", "int f(void) { return sem_timedwait(a, b); }\n",
                     "sem_timedwait")

    def test_a_flag_for_the_wall_clock(self):
        self.refuses("banned", "src/os/b.c", "int f = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME;\n",
                     "FUTEX_CLOCK_REALTIME")

    def test_a_comment_that_is_too_wide(self):
        self.write("src/top/w.c", "/* " + "a" * 94 + " */\n")
        self.refuses("columns", "tests/unit/top/w.c", "/* " + "a" * 95 + " */\n",
                     "w.c:1: has 101 columns")

    def test_a_kernel_header_outside_os(self):
        self.refuses("banned", "src/top/b.c", "#include <sys/mman.h>\n", "<sys/mman.h>")

    def test_a_sleep_in_a_test(self):
        self.refuses("banned", "tests/unit/top/t.c", "void f(void) { usleep(1); }\n", "usleep")

    def test_a_type_without_a_contract(self):
        self.refuses("contracts", "include/kin/top.h", HEADER.replace(" * Fork: ", " * Forks: "),
                     "kin_top: its comment")

    def test_a_module_without_a_test(self):
        self.refuses("modules", "src/top/other.c", "\n", "has no tests/unit/top/other_test.c")

    def test_an_example_without_its_output(self):
        self.refuses("examples", "examples/02_two.c", "\n", "has no .expected")

    def test_a_row_that_names_no_test(self):
        self.refuses("rows", "docs/from-python.md", "| a | b |\n|---|---|\n| x | `gone` |\n",
                     "there is no test gone")

    def test_a_row_that_says_nothing(self):
        self.refuses("rows", "docs/from-python.md", "| a | b |\n|---|---|\n| x | soon |\n",
                     "neither a test nor a reason")

    def test_a_place_of_one_machine(self):
        subprocess.run(["git", "init", "-q", self.root], check=True)
        self.refuses("paths", "docs/a.md", "see /" + "home/me\n", "docs/a.md:1")

    def test_a_file_that_is_not_formatted(self):
        self.write(".clang-format", (TOOLS.parents[1] / ".clang-format").read_text())
        self.refuses("format", "src/top/f.c", "int f( void ){return 0;}\n", "src/top/f.c: not as")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "--quiet", *sys.argv[1:]])
