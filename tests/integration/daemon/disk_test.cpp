// Disks and databases in trouble: the daemon stays up, says so, loses nothing, and goes on.
#include <doctest/doctest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tests/integration/daemon/checks.hpp"

using namespace conductor::harness;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// A small file system of its own; `made` is false where this user may not mount one.
class SmallDisk {
public:
    explicit SmallDisk(fs::path at) : at_{std::move(at)} {
        fs::create_directories(at_);
        made = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=3m,mode=0700") == 0;
        if (!made) MESSAGE("skipped: a small file system cannot be mounted here: " << std::strerror(errno));
    }
    ~SmallDisk() {
        if (made) ::umount2(at_.c_str(), MNT_DETACH);
    }
    /// Writes until there is no room left.
    void fill() const {
        std::ofstream file{at_ / "ballast", std::ios::binary | std::ios::app};
        const std::string block(4096, 'x');
        while (file << block << std::flush) {}
    }
    void free() const { fs::remove(at_ / "ballast"); }
    bool read_only(bool on) const {
        return ::mount(nullptr, at_.c_str(), nullptr,
                       static_cast<unsigned long>(MS_REMOUNT) | (on ? static_cast<unsigned long>(MS_RDONLY) : 0UL),
                       "size=3m,mode=0700") == 0;
    }
    bool made = false;

private:
    fs::path at_;
};

json one(int n) {
    return {{"to", invented_number(n)}, {"text", "Your order is ready, no. " + std::to_string(n)}};
}
std::string trouble(Gateway& gateway) {
    const json status = gateway.get("/v1/status").json();
    if (!status.is_object()) return "no status";
    const json& said = status["store"]["trouble"];
    return said.is_string() ? said.get<std::string>() : "";
}
int most_copies(const Sim& sim) {
    int most = 0;
    for (const auto& [number, copies] : sim.copies()) most = std::max(most, copies);
    return most;
}

}  // namespace

TEST_CASE("integration: a full disk, a kill on it, and room again") {
    const TempDir folder;
    const SmallDisk disk{folder / "disk"};
    if (!disk.made) return;  // mount(2) needs a right that not every container has; SmallDisk has said so
    const Sim sim{folder / "sim", {.modems = 1, .latency = 10ms, .report_delay = 10ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports(), .database = folder / "disk" / "conductor.db"}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE_MESSAGE(ready_modems(gateway, 1), gateway.log_end());
    REQUIRE(gateway.post("/v1/messages", one(0)).status == 202);
    REQUIRE_MESSAGE(gateway.settled(60s, 1, {"delivered"}), describe(gateway));

    disk.fill();
    HttpAnswer last;
    int taken = 1;
    while (taken < 3000 && (last = gateway.post("/v1/messages", one(taken))).status == 202) ++taken;
    REQUIRE(last.status == 503);
    CHECK(last.json()["error"]["code"] == "disk-full");
    CHECK(gateway.get("/v1/messages/1").status == 200);

    gateway.kill_now();
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    const auto before = sim.submissions().size();
    REQUIRE_MESSAGE(ready_modems(gateway, 1), gateway.log_end());  // it is there to receive
    sim.inject(0, "+15550100177", "while there was no room");
    CHECK(gateway.get("/v1/messages/1").status == 200);
    REQUIRE_MESSAGE(eventually(5s, [&] { return gateway.post("/v1/messages", one(taken)).status == 503; }), gateway.log_end());
    CHECK(sim.submissions().size() <= before + 1);  // nothing that cannot be journaled

    disk.free();
    CHECK_MESSAGE(eventually(15s, [&] { return trouble(gateway).empty(); }), trouble(gateway));
    CHECK_MESSAGE(eventually(10s, [&] { return gateway.post("/v1/messages", one(taken)).status == 202; }), gateway.log_end());
    CHECK_MESSAGE(gateway.settled(60s, static_cast<std::size_t>(taken) + 1, {"delivered", "sent", "unknown"}), describe(gateway));
    CHECK(most_copies(sim) == 1);
    CHECK(gateway.tally()["unknown"] <= 1);
    CHECK_MESSAGE(eventually(70s, [&] { return gateway.messages("direction=inbound").size() == 1; }), gateway.log_end());
    CHECK(gateway.stop() == 0);
}

TEST_CASE("integration: a disk that takes no writes at the start") {
    const TempDir folder;
    const SmallDisk disk{folder / "disk"};
    if (!disk.made) return;  // mount(2) needs a right that not every container has; SmallDisk has said so
    const Sim sim{folder / "sim", {.modems = 1, .latency = 10ms, .report_delay = 10ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports(), .database = folder / "disk" / "conductor.db"}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(gateway.post("/v1/messages", one(0)).status == 202);
    REQUIRE_MESSAGE(gateway.settled(60s, 1, {"delivered"}), describe(gateway));
    for (const bool killed : {false, true}) {
        CAPTURE(killed);
        if (killed)
            gateway.kill_now();
        else
            REQUIRE(gateway.stop() == 0);
        REQUIRE(disk.read_only(true));
        REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
        CHECK_MESSAGE(trouble(gateway).find("no writes") != std::string::npos, trouble(gateway));
        CHECK_MESSAGE(gateway.get("/v1/messages/1").json()["status"] == "delivered", gateway.log_end());
        const auto refused = gateway.post("/v1/messages", one(killed ? 2 : 1));
        CHECK(refused.status == 503);
        CHECK(refused.json()["error"]["code"] == "disk-read-only");
        REQUIRE(disk.read_only(false));
        CHECK_MESSAGE(eventually(15s, [&] { return trouble(gateway).empty(); }), trouble(gateway));
        CHECK_MESSAGE(eventually(10s, [&] { return gateway.post("/v1/messages", one(killed ? 2 : 1)).status == 202; }), gateway.log_end());
        CHECK_MESSAGE(gateway.settled(60s, killed ? 3 : 2, {"delivered"}), describe(gateway));
    }
    CHECK(most_copies(sim) == 1);
}

TEST_CASE("integration: a damaged database, its backup, and who lets its messages go") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 1, .latency = 10ms, .report_delay = 10ms}};
    Gateway gateway{folder / "box", {.ports = sim.ports()}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE_MESSAGE(ready_modems(gateway, 1), gateway.log_end());
    REQUIRE(gateway.ctl({"queue", "pause"}).status == 0);
    REQUIRE(gateway.post("/v1/messages", one(0)).status == 202);
    const auto config = gateway.config().string(), backup = (folder / "backup.db").string();
    const auto db = [&](std::vector<std::string> words) {
        words.insert(words.begin(), "db");
        words.insert(words.end(), {"--config", config});
        return gateway.ctl(words);
    };
    CHECK(db({"check"}).status == 0);
    REQUIRE(db({"backup", backup}).status == 0);
    CHECK(db({"restore", backup}).status == 5);  // it runs
    REQUIRE(gateway.ctl({"queue", "resume"}).status == 0);
    REQUIRE_MESSAGE(gateway.settled(60s, 1, {"delivered"}), describe(gateway));
    REQUIRE(gateway.stop() == 0);
    REQUIRE(db({"check"}).status == 0);  // and what was in the -wal file is in the file now
    std::fstream{gateway.database(), std::ios::in | std::ios::out | std::ios::binary} << std::string(2000, '\xa5');

    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    CHECK_MESSAGE(trouble(gateway).find("damaged") != std::string::npos, trouble(gateway));
    CHECK(gateway.get("/healthz").status == 503);
    CHECK(gateway.post("/v1/messages", one(1)).status == 503);
    CHECK(gateway.stop() == 0);
    CHECK(db({"check"}).status == 1);
    REQUIRE(db({"restore", backup}).status == 0);

    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE(gateway.ctl({"queue", "resume"}).status == 0);  // it was paused when the copy was made
    const json held = gateway.get("/v1/messages/1").json();
    CHECK(held["status"] == "queued");
    CHECK(held["reason"] == "restored");
    CHECK(gateway.get("/v1/status").json()["queue"]["held"] == 1);
    CHECK(gateway.get("/healthz").json()["held"] == 1);
    CHECK(gateway.post("/v1/messages", one(2)).status == 202);  // what is new goes out
    CHECK_MESSAGE(eventually(10s, [&] { return gateway.get("/v1/messages/2").json()["status"] == "delivered"; }), describe(gateway));
    CHECK(gateway.get("/v1/messages/1").json()["status"] == "queued");
    const auto released = gateway.ctl({"db", "release", "--json"});
    CHECK(released.status == 0);
    CHECK(json::parse(released.out)["released"] == 1);
    CHECK_MESSAGE(gateway.settled(60s, 2, {"delivered"}), describe(gateway));
    CHECK(gateway.get("/healthz").status == 200);
    CHECK(gateway.stop() == 0);
}
