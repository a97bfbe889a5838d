// Modems without a configured port: found by IMEI among ptys, and found again under swapped names while they send.
#include <doctest/doctest.h>

#include <iostream>

#include "tests/integration/daemon/checks.hpp"

using namespace conductor::harness;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// What the simulator says of its modems, by index.
std::vector<json> modems_of(const Sim& sim) {
    const json state = sim.request({{"do", "state"}});
    return state["modems"].get<std::vector<json>>();
}

json modem_of(Gateway& gateway, int index) {
    return gateway.get("/v1/modems/" + std::to_string(index)).json();
}

}  // namespace

TEST_CASE("integration: four modems found by IMEI; two swap their names while sending, and keep their messages") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 4, .latency = 60ms, .report_delay = 100ms}};
    const auto modems = modems_of(sim);
    REQUIRE(modems.size() == 4);
    std::vector<std::string> matches;  // in the reverse order: no name or order leads to the right one
    for (int index = 3; index >= 0; --index)
        matches.push_back("imei = \"" + modems[static_cast<std::size_t>(index)]["imei"].get<std::string>() + "\"");
    Gateway gateway{folder / "box", {.ports = matches, .scan = "[\"pty:" + (folder / "sim").string() + "/modem*\"]"}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE_MESSAGE(ready_modems(gateway, 4), gateway.log_end());
    for (int index = 0; index < 4; ++index) {
        const json modem = modem_of(gateway, index);
        CHECK(modem["imei"] == modems[static_cast<std::size_t>(3 - index)]["imei"]);
        CHECK(modem["iccid"] == modems[static_cast<std::size_t>(3 - index)]["iccid"]);
    }
    const json ports = gateway.get("/v1/discovery").json();
    REQUIRE(ports["ports"].size() == 4);
    for (const json& port : ports["ports"]) CHECK(port["modem_index"].is_number());

    REQUIRE_MESSAGE(enqueue(gateway, 240), describe(gateway));
    for (int round = 0; round < 2; ++round) {
        const std::size_t before = sim.submissions().size();
        REQUIRE_MESSAGE(eventually(20s, [&] { return sim.submissions().size() >= before + 8; }), describe(gateway));
        sim.unplug(0);
        sim.unplug(1);
        const auto plugged = std::chrono::steady_clock::now();
        sim.request({{"do", "plug"}, {"modem", 0}, {"link", round == 0 ? "modem1" : "modem0"}});
        sim.request({{"do", "plug"}, {"modem", 1}, {"link", round == 0 ? "modem0" : "modem1"}});
        const auto back = [&](int index, const char* name) {
            const json modem = modem_of(gateway, index);
            const std::string state = modem["state"];
            return (state == "ready" || state == "sending") && modem["port"].get<std::string>().ends_with(name);
        };
        CHECK_MESSAGE(
            eventually(5s, [&] { return back(3, round == 0 ? "modem1" : "modem0") && back(2, round == 0 ? "modem0" : "modem1"); }),
            gateway.log_end());
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - plugged;
        std::cout << "both back after " << took.count() << " s\n";
        CHECK(modem_of(gateway, 3)["iccid"] == modems[0]["iccid"]);
        CHECK(modem_of(gateway, 2)["iccid"] == modems[1]["iccid"]);
    }
    CHECK_MESSAGE(gateway.settled(60s, 240, {"delivered", "sent", "unknown"}), describe(gateway));
    const std::string broken = lost_or_doubled(gateway, sim, 240);
    CHECK_MESSAGE(broken.empty(), broken);
    CHECK(gateway.tally()["unknown"] <= 4);  // at most one a modem and pull
    // each message's SIM is the one of the modem that the network saw
    for (const json& message : gateway.messages()) {
        if (message["status"] == "unknown") continue;
        const auto index = message["modem_index"].get<std::size_t>();
        CHECK(message["iccid"] == modems[3 - index]["iccid"]);
    }
    CHECK(gateway.stop() == 0);
}

TEST_CASE("integration: discover suggests what is new, probe works with and without the daemon") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 2}};
    const auto modems = modems_of(sim);
    const std::string imei = modems[0]["imei"], other = modems[1]["imei"];
    Gateway gateway{folder / "box", {.ports = {"imei = \"" + imei + "\""}, .scan = "[\"pty:" + (folder / "sim").string() + "/modem*\"]"}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE_MESSAGE(ready_modems(gateway, 1), gateway.log_end());
    const Finished found = gateway.ctl({"--json", "modem", "discover"});
    REQUIRE_MESSAGE(found.status == 0, found.err);
    const json ports = json::parse(found.out)["ports"];
    REQUIRE(ports.size() == 2);
    CHECK(ports[0]["modem_index"] == 0);
    CHECK(ports[0]["suggestion"].is_null());
    CHECK(ports[1]["imei"] == other);
    CHECK(ports[1]["suggestion"] == "[[modem]]\nindex = 1\nmatch = { imei = \"" + other + "\" }\n");
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}}) {  // one in use, one free
        const Finished probed = gateway.ctl({"--json", "modem", "probe", sim.port(static_cast<int>(n))});
        REQUIRE_MESSAGE(probed.status == 0, probed.err);
        const json said = json::parse(probed.out);
        CHECK(said["imei"] == modems[n]["imei"]);
        CHECK(said["iccid"] == modems[n]["iccid"]);
        CHECK(said["findings"].size() >= 15);
    }
    CHECK(gateway.ctl({"modem", "probe", "pty:" + (folder / "nothing").string()}).status == 4);
    CHECK(gateway.stop() == 0);
    const Finished direct = gateway.ctl({"--json", "modem", "probe", sim.port(1)});
    REQUIRE_MESSAGE(direct.status == 0, direct.err);
    CHECK(json::parse(direct.out)["imei"] == other);
}

TEST_CASE("integration: a swapped SIM holds its modem until it is accepted, and a SIM's limit goes where it goes") {
    const TempDir folder;
    const Sim sim{folder / "sim", {.modems = 1, .latency = 20ms}};
    const json before = modems_of(sim)[0];
    const std::string imei = before["imei"], first = before["iccid"];
    Gateway gateway{folder / "box",
                    {.ports = {"imei = \"" + imei + "\""}, .per_hour = 3, .scan = "[\"pty:" + (folder / "sim").string() + "/*\"]"}};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    REQUIRE_MESSAGE(enqueue(gateway, 4), describe(gateway));
    const auto sent_by = [&](const std::string& iccid) {
        int count = 0;
        for (const json& message : gateway.messages())
            count += (message["status"] == "sent" || message["status"] == "delivered") && message["iccid"] == iccid ? 1 : 0;
        return count;
    };
    CHECK_MESSAGE(eventually(20s, [&] { return sent_by(first) == 3; }), describe(gateway));
    const auto swap = [&](const json& to) {
        sim.unplug(0);
        json request = {{"do", "sim"}, {"modem", 0}, {"action", "swap"}};
        request.update(to);
        const std::string iccid = sim.request(request)["iccid"];
        sim.plug(0);
        CHECK_MESSAGE(eventually(10s, [&] { return modem_of(gateway, 0)["reason"] == "sim-changed"; }), gateway.log_end());
        return iccid;
    };
    const std::string second = swap(json::object());
    CHECK(second != first);
    CHECK(sent_by(second) == 0);
    CHECK(gateway.ctl({"modem", "accept-sim", "0"}).status == 0);
    CHECK_MESSAGE(eventually(10s, [&] { return sent_by(second) == 1; }), describe(gateway));
    REQUIRE(swap({{"iccid", first}}) == first);
    const json late = {{"to", invented_number(77)}, {"text", "late"}, {"key", "late-1"}};
    REQUIRE(gateway.post("/v1/messages", late).status == 202);
    CHECK(gateway.ctl({"modem", "accept-sim", "0"}).status == 0);
    REQUIRE(ready_modems(gateway, 1));
    CHECK(!eventually(700ms, [&] { return sent_by(first) > 3; }));  // its hour is used up
    CHECK(gateway.tally()["queued"] == 1);
    CHECK(gateway.stop() == 0);
}
