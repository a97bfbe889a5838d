#include "modem/driver/report_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "modem/profile/stick_state.hpp"

namespace conductor::driver {
namespace {

using nlohmann::json;

json text_or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

json index_or_null(std::optional<ModemIndex> index) {
    return index ? json(*index) : json(nullptr);
}

json usb_json(const port::UsbFacts& usb) {
    if (usb.device.empty()) return nullptr;
    return {{"device", usb.device},
            {"vendor_id", usb.vendor_id},
            {"product_id", usb.product_id},
            {"serial", text_or_null(usb.serial)},
            {"manufacturer", text_or_null(usb.manufacturer)},
            {"product", text_or_null(usb.product)},
            {"driver", text_or_null(usb.driver)},
            {"interface", usb.interface}};
}

/// The port of its device where SMS works best, as place() would choose it.
bool is_best(const PortReport& report, const std::vector<PortReport>& all) {
    return std::ranges::none_of(all, [&](const PortReport& other) {
        return &other != &report && other.at.group() == report.at.group() &&
               (other.modem || (other.found.answer == Probe::Answer::at && other.probed && other.found.score > report.found.score));
    });
}

/// By the strongest name it has. A name of digits needs no escaping in TOML; a device path might.
std::string block_for(const PortReport& report, ModemIndex index) {
    const Identity& who = report.found.who;
    std::string match;
    if (!who.imei.empty()) {
        match = "imei = \"" + who.imei + "\"";
    } else if (!who.iccid.empty()) {
        match = "iccid = \"" + who.iccid + "\"";
    } else if (!report.at.usb.device.empty()) {
        match = "usb = \"" + report.at.usb.device + "\"";
    } else {
        match = "port = " + json(report.at.name).dump();
    }
    return "[[modem]]\nindex = " + std::to_string(index) + "\nmatch = { " + match + " }\n";
}

/// What a probe found beside the identity.
void add_findings(json& out, const Probe& probe) {
    out["problem"] = text_or_null(probe.problem);
    out["profile"] = text_or_null(probe.profile);
    out["sim"] = text_or_null(probe.sim);
    out["sms"] = probe.sms;
    out["score"] = probe.score;
}

}  // namespace

json to_json(const Identity& who) {
    return {{"manufacturer", who.manufacturer},
            {"model", who.model},
            {"revision", who.revision},
            {"imei", who.imei},
            {"iccid", who.iccid},
            {"imsi", who.imsi},
            {"number", who.own_number}};
}

json to_json(const PortReport& report, const std::vector<PortReport>& all, ModemIndex free_index) {
    json out = to_json(report.found.who);
    out["port"] = report.at.name;
    out["path"] = report.at.path;
    out["usb"] = usb_json(report.at.usb);
    out["answer"] = report.probed ? json(to_string(report.found.answer)) : json(nullptr);
    add_findings(out, report.found);
    out["modem_index"] = index_or_null(report.modem);
    out["meant"] = index_or_null(report.meant);
    out["quietened"] = report.quietened;
    const bool is_new = report.probed && report.found.answer == Probe::Answer::at && !report.modem && !report.meant;
    out["suggestion"] = is_new && is_best(report, all) ? json(block_for(report, free_index)) : json(nullptr);
    return out;
}

json discovery_json(const std::vector<PortReport>& all, const std::vector<ModemIndex>& taken) {
    json ports = json::array();
    ModemIndex next = 0;
    const auto skip_taken = [&] {
        while (std::ranges::find(taken, next) != taken.end()) ++next;
    };
    skip_taken();
    for (const PortReport& report : all) {
        ports.push_back(to_json(report, all, next));
        if (ports.back()["suggestion"].is_null()) continue;
        ++next;
        skip_taken();
    }
    json hints = json::array();
    for (const port::PortlessDevice& device : port::portless_devices()) {
        const auto state = profile::stick_state(device.vendor_id, device.product_id, device.product, device.classes);
        if (!state) continue;
        hints.push_back({{"device", device.device},
                         {"vendor_id", device.vendor_id},
                         {"product_id", device.product_id},
                         {"state", state->state},
                         {"text", state->text}});
    }
    return {{"ports", std::move(ports)}, {"hints", std::move(hints)}};
}

json to_json(const std::vector<Finding>& findings) {
    json all = json::array();
    for (const Finding& f : findings) all.push_back({{"topic", f.topic}, {"command", f.command}, {"lines", f.lines}, {"result", f.result}});
    return all;
}

json to_json(const Examined& examined, const std::string& port) {
    json out = to_json(examined.probe.who);
    out["port"] = port;
    out["modem_index"] = nullptr;
    out["answer"] = to_string(examined.probe.answer);
    add_findings(out, examined.probe);
    out["findings"] = to_json(examined.findings);
    return out;
}

}  // namespace conductor::driver
