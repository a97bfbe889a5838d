// Who is where, for technicians: every port with what is known of it, and one port examined.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/service/gateway.hpp"
#include "modem/driver/report_json.hpp"

namespace conductor::service {

using api::Actor;
using api::Answer;
using api::Refusal;
using nlohmann::json;

namespace {

Refusal no_finder() {
    return {409, "no-discovery", "This gateway looks for no modems."};
}

/// A modem whose port the scan does not cover is listed all the same.
void add_unscanned(std::vector<driver::PortReport>& ports, const driver::ModemStatus& status) {
    if (status.port.empty()) return;
    const auto at = port::candidate(status.port);
    const std::string path = at ? at->path : status.port;
    if (std::ranges::any_of(ports, [&](const driver::PortReport& r) { return r.at.path == path; })) return;
    driver::PortReport report;
    report.at.name = status.port;
    report.at.path = path;
    if (at) report.at.usb = at->usb;
    const bool open = status.state != driver::ModemState::absent;
    report.meant = status.index;
    if (open) report.modem = status.index;
    report.probed = open || status.reason == "port-busy" || status.reason == "port-denied";
    report.found.answer = open                             ? driver::Probe::Answer::at
                          : status.reason == "port-busy"   ? driver::Probe::Answer::busy
                          : status.reason == "port-denied" ? driver::Probe::Answer::denied
                                                           : driver::Probe::Answer::failed;
    if (open) report.found.who = status.identity;
    report.found.profile = status.profile;
    ports.push_back(std::move(report));
}

}  // namespace

aio::awaitable<Answer<json>> Gateway::discovery(bool ask, Actor actor) {
    if (!shared_.finder) co_return no_finder();
    std::vector<driver::PortReport> ports;
    if (ask) {
        context_.log.info("ports-asked", {{"actor", actor.name}});
        ports = co_await shared_.finder->survey();
    } else {
        ports = shared_.finder->report();
    }
    std::vector<ModemIndex> taken;
    for (const auto& modem : modems_) {
        taken.push_back(modem->index());
        add_unscanned(ports, modem->status());
    }
    co_return driver::discovery_json(ports, taken);
}

aio::awaitable<Answer<json>> Gateway::probe_port(std::string name, Actor actor) {
    if (!shared_.finder) co_return no_finder();
    context_.log.info("port-examined", {{"port", name}, {"actor", actor.name}});
    if (const auto index = shared_.finder->user_of(name)) {
        auto* modem = find_modem(*index);
        if (!modem) co_return no_finder();
        const driver::Ask ask = [modem](std::string line) { return modem->modem().command(std::move(line)); };
        const auto findings = co_await driver::examine(ask);
        json body = describe(*modem);
        body["modem_index"] = *index;
        body["answer"] = "at";
        body["findings"] = driver::to_json(findings);
        co_return body;
    }
    const auto examined = co_await shared_.finder->examine_free(name);
    if (!examined) {
        const bool missing = examined.error().is(port::PortErrc::not_found) || examined.error().is(port::PortErrc::bad_name);
        co_return Refusal{missing ? 404 : 409, missing ? "not-found" : "port-refused", examined.error().text(), "port"};
    }
    co_return driver::to_json(*examined, name);
}

}  // namespace conductor::service
