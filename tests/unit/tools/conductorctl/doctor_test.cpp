// The doctor's verdicts on facts of our own.
#include "tools/conductorctl/doctor.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>

using namespace conductor;
using namespace conductor::ctl;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;

struct Folder {
    Folder() {
        std::string pattern = (fs::temp_directory_path() / "conductor-doctor-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()));
        path = pattern;
    }
    ~Folder() { fs::remove_all(path); }
    void write(const fs::path& file, std::string_view text) const {
        fs::create_directories((path / file).parent_path());
        std::ofstream{path / file} << text;
    }
    fs::path path;
};

/// A box that is well: a ready modem, a database of its own.
Facts good(const Folder& folder) {
    Facts facts;
    facts.config_file = "conductor.toml";
    facts.config.emplace();
    facts.config->gateway.database = (folder.path / "conductor.db").string();
    facts.config->modems.push_back({.index = 0, .imei = "350000000000017"});
    facts.top = folder.path;
    facts.status = json::parse(R"({"uptime_s": 10, "clock": {"sure": true}, "store": {"trouble": null}})");
    facts.health = json::parse(R"({"ok": true})");
    facts.modems =
        json::parse(R"([{"index": 0, "state": "ready", "reason": "", "model": "EX100", "port": "/dev/ttyUSB2", "operator": "Example",
        "smsc": "+15550100199", "signal_dbm": -75, "registration": 1, "storage": [{"memory": "ME", "used": 1, "total": 20}],
        "boots_seen": 0, "brown_outs": 0, "resets": 0, "rung": "none", "resting": ""}])");
    folder.write("lib/udev/rules.d/60-conductor.rules", "ENV{ID_MM_DEVICE_IGNORE}=\"1\"\n");
    return facts;
}

const Checked* find(const std::vector<Checked>& all, std::string_view check) {
    const auto at = std::ranges::find(all, check, &Checked::check);
    return at == all.end() ? nullptr : &*at;
}

}  // namespace

TEST_CASE("doctor: each trouble of a modem has a verdict, evidence and a remedy") {
    struct Row {
        const char* patch;  ///< merged into the modem
        const char* check;
        Verdict want;
    };
    const Row rows[] = {{R"({})", "modem-0", Verdict::pass},
                        {R"({"state": "absent", "reason": "no-port"})", "modem-0", Verdict::fail},
                        {R"({"state": "absent", "reason": "port-busy", "port": "/dev/null"})", "modem-0", Verdict::fail},
                        {R"({"state": "blocked", "reason": "puk-needed"})", "modem-0", Verdict::fail},
                        {R"({"state": "blocked", "reason": "a word that nobody knows"})", "modem-0", Verdict::fail},
                        {R"({"state": "opening"})", "modem-0", Verdict::warn},
                        {R"({"state": "disabled", "reason": "disabled"})", "modem-0", Verdict::warn},
                        {R"({"storage": [{"memory": "SM", "used": 14, "total": 20}]})", "modem-0-storage", Verdict::warn},
                        {R"({"storage": [{"memory": "SM", "used": 20, "total": 20}]})", "modem-0-storage", Verdict::fail},
                        {R"({"smsc": ""})", "modem-0-smsc", Verdict::warn},
                        {R"({"signal_dbm": -109})", "modem-0-signal", Verdict::warn},
                        {R"({"brown_outs": 1})", "modem-0-power", Verdict::fail},
                        {R"({"boots_seen": 4})", "modem-0-restarts", Verdict::warn},
                        {R"({"resets": 3})", "modem-0-recovery", Verdict::warn},
                        {R"({"resting": "cms-21"})", "modem-0-sim", Verdict::fail},
                        {R"({"state": "searching", "reason": "unregistered", "registration": 3})", "modem-0-plan", Verdict::warn},
                        {R"({"state": "searching", "reason": "unregistered", "registration": 2})", "modem-0-network", Verdict::warn}};
    const Folder folder;
    for (const Row& row : rows) {
        CAPTURE(row.patch);
        Facts facts = good(folder);
        facts.modems[0].update(json::parse(row.patch));
        std::vector<Checked> all;
        check_modems(facts, all);
        const Checked* found = find(all, row.check);
        REQUIRE(found);
        CHECK(found->verdict == row.want);
        CHECK(!found->cause.empty());
        CHECK(!found->evidence.empty());
        CHECK(found->remedy.empty() == (row.want == Verdict::pass));
    }
    std::vector<Checked> all;
    check_modems(good(folder), all);
    CHECK(all.size() == 1);  // nothing but the modem's own line when all is well
}

TEST_CASE("doctor: the box") {
    struct Row {
        const char* name;
        void (*spoil)(Facts&, const Folder&);
        Check check;
        const char* of;
        Verdict want;
    };
    const Row rows[] = {
        {"no file", [](Facts& f, const Folder&) { f.unreadable = "No such file", f.config.reset(); }, check_config, "config",
         Verdict::fail},
        {"a problem",
         [](Facts& f, const Folder&) {
             f.problems.push_back({"a.toml", 3, "x", "unknown"}), f.config.reset();
         },
         check_config, "config", Verdict::fail},
        {"no modem", [](Facts& f, const Folder&) { f.config->modems.clear(); }, check_config, "config", Verdict::warn},
        {"good", [](Facts&, const Folder&) {}, check_config, "config", Verdict::pass},
        {"daemon down", [](Facts& f, const Folder&) { f.unreachable = "refused"; }, check_daemon, "daemon", Verdict::fail},
        {"no progress", [](Facts& f, const Folder&) { f.health["ok"] = false; }, check_daemon, "progress", Verdict::fail},
        {"store in trouble", [](Facts& f, const Folder&) { f.status["store"]["trouble"] = "full"; }, check_daemon, "daemon", Verdict::fail},
        {"paused", [](Facts& f, const Folder&) { f.status["paused"] = true; }, check_daemon, "paused", Verdict::warn},
        {"working", [](Facts&, const Folder&) {}, check_daemon, "progress", Verdict::pass},
        {"clock unsure", [](Facts& f, const Folder&) { f.status["clock"]["sure"] = false; }, check_clock, "clock", Verdict::fail},
        {"no database yet", [](Facts& f, const Folder&) { f.unreachable = "down"; }, check_database, "database", Verdict::warn},
        {"a daemon without its database", [](Facts&, const Folder&) {}, check_database, "database", Verdict::fail},
        {"a damaged database", [](Facts&, const Folder& d) { d.write("conductor.db", std::string(8192, 'x')); }, check_database, "database",
         Verdict::fail},
        {"no consent asked", [](Facts& f, const Folder&) { f.config->opt_out.require_consent = false; }, check_consent, "consent",
         Verdict::warn},
        {"consent", [](Facts&, const Folder&) {}, check_consent, "consent", Verdict::pass},
        {"rules", [](Facts&, const Folder&) {}, check_udev, "udev", Verdict::pass},
        {"rules without the word", [](Facts&, const Folder& d) { d.write("etc/udev/rules.d/60-conductor.rules", "# nothing\n"); },
         check_udev, "udev", Verdict::warn},
        {"no unit under systemd", [](Facts&, const Folder& d) { fs::create_directories(d.path / "run/systemd/system"); }, check_units,
         "unit", Verdict::warn},
        {"ModemManager runs", [](Facts&, const Folder& d) { d.write("proc/615/comm", "ModemManager\n"); }, check_modem_manager,
         "sms-rivals", Verdict::warn},
        {"a stick as CD-ROM",
         [](Facts&, const Folder& d) {
             d.write("sys/bus/usb/devices/1-3/idVendor", "12d1\n");
             d.write("sys/bus/usb/devices/1-3/idProduct", "1f01\n");
             d.write("sys/bus/usb/devices/1-3/1-3:1.0/bInterfaceClass", "08\n");
         },
         check_portless, "usb-1-3", Verdict::warn},
        {"a port that is not there", [](Facts& f, const Folder&) { f.unreachable = "down", f.config->modems[0].port = "/dev/ttyUSB97"; },
         check_ports, "modem-0", Verdict::fail},
        {"Supabase away",
         [](Facts& f, const Folder&) {
             f.config->supabase.emplace();
             f.sync = json::parse(R"({"connected": false, "outbox": 3, "last_error": "no route"})");
         },
         check_supabase, "supabase", Verdict::fail},
        {"opt-outs behind",
         [](Facts& f, const Folder&) {
             f.config->supabase.emplace();
             f.sync = json::parse(R"({"connected": false, "outbox": 3})");
         },
         check_supabase, "opt-outs", Verdict::warn},
        {"a doorbell that is not heard",
         [](Facts& f, const Folder&) {
             f.config->supabase.emplace();
             f.sync = json::parse(R"({"connected": true, "realtime": {"on": true, "joined": false, "last_error": "Unauthorized"}})");
         },
         check_supabase, "supabase-doorbell", Verdict::warn},
        {"clocks differ",
         [](Facts& f, const Folder&) {
             f.config->supabase.emplace();
             f.sync = json::parse(R"({"connected": true, "clock_offset_ms": -90000})");
         },
         check_supabase, "supabase-clock", Verdict::warn}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Folder own;
        Facts facts = good(own);
        row.spoil(facts, own);
        std::vector<Checked> all;
        row.check(facts, all);
        const Checked* found = find(all, row.of);
        REQUIRE(found);
        CHECK(found->verdict == row.want);
        CHECK(!found->cause.empty());
    }
}

TEST_CASE("doctor: every check runs whatever is missing") {
    Facts nothing;
    nothing.unreadable = "gone";
    nothing.unreachable = "down";
    const auto all = examine_box(nothing);
    REQUIRE(find(all, "daemon"));
    CHECK(find(all, "daemon")->verdict == Verdict::fail);
    REQUIRE(find(all, "config"));
    CHECK(find(all, "sms-rivals"));
}
