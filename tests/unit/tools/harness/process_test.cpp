// The harness must not lie: a child's end, its output and its death are what the kernel says.
#include <doctest/doctest.h>

#include <csignal>

#include "tools/harness/gateway.hpp"
#include "tools/harness/process.hpp"

using namespace conductor::harness;
using namespace std::chrono_literals;

TEST_CASE("harness: a program's end") {
    const TempDir folder;
    struct Row {
        const char* name;
        const char* script;
        int status;
        const char *out, *err;
    };
    const Row rows[] = {
        {"done", "echo a; echo b >&2", 0, "a\n", "b\n"},
        {"failed", "exit 3", 3, "", ""},
        {"killed", "kill -9 $$", 137, "", ""},
        {"too long", "exec sleep 60", -1, "", ""},
        {"its environment", "echo $GIVEN", 0, "x\n", ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Finished got = run({"/bin/sh", "-c", row.script}, folder.path(), row.status == -1 ? 100ms : 5'000ms, {"GIVEN=x"});
        CHECK(got.status == row.status);
        CHECK(got.out == row.out);
        CHECK(got.err == row.err);
    }
    CHECK(run({"/does/not/exist"}, folder.path()).status == 127);
}

TEST_CASE("harness: a child that runs") {
    const TempDir folder;
    const auto log = folder / "log";
    write_file(log, "before\n");
    Child child{{"/bin/sh", "-c", "echo begun; trap 'echo bye; exit 4' TERM; while :; do sleep 0.05; done"}, log};
    CHECK(child.wait_for_output("begun", 5s));
    CHECK_FALSE(child.wait_for_output("before", 50ms));
    CHECK(child.running());
    CHECK_FALSE(child.wait(50ms).has_value());
    CHECK(child.usage().rss_kib > 100);
    CHECK(child.usage().bytes_written >= 6);
    child.signal(SIGTERM);
    CHECK(child.wait(5s) == 4);
    CHECK(child.output() == "begun\nbye\n");
    CHECK_FALSE(child.running());
}

TEST_CASE("harness: killed means reaped") {
    const TempDir folder;
    Child child{{"/bin/sleep", "60"}, folder / "log"};
    const pid_t pid = child.pid();
    child.kill_now();
    CHECK_FALSE(child.running());
    CHECK(child.wait(0ms) == 128 + SIGKILL);
    CHECK(::kill(pid, 0) == -1);
}

TEST_CASE("harness: the end of a scope ends a child that ignores SIGTERM") {
    const TempDir folder;
    pid_t pid = 0;
    {
        Child child{{"/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"}, folder / "log"};
        REQUIRE(child.wait_for_output("deaf", 5s));
        pid = child.pid();
    }
    CHECK(::kill(pid, 0) == -1);
}

TEST_CASE("harness: no server is status 0") {
    const TempDir folder;
    CHECK(http(folder / "none.sock", "GET", "/healthz").status == 0);
    CHECK(ask_line(folder / "none.sock", "{}").empty());
}
