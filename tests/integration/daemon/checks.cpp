#include "tests/integration/daemon/checks.hpp"

#include <algorithm>

using conductor::harness::eventually;
using conductor::harness::Gateway;
using conductor::harness::HttpAnswer;
using conductor::harness::invented_number;
using conductor::harness::Sim;
using nlohmann::json;

std::string describe(Gateway& gateway) {
    std::map<std::string, int> counts;
    for (const json& message : gateway.messages())
        ++counts[message["status"].get<std::string>() + "/" + message["delivery_status"].get<std::string>() + " " +
                 message["reason"].dump()];
    std::string text = "\n";
    for (const auto& [state, count] : counts) text += "  " + std::to_string(count) + " " + state + "\n";
    return text + gateway.log_end();
}

std::string in_seconds(int seconds) {
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    return conductor::to_rfc3339(now + std::chrono::seconds{seconds});
}

bool ready_modems(Gateway& gateway, int count) {
    return eventually(std::chrono::seconds{20}, [&] {
        const json answer = gateway.get("/v1/modems").json();
        const json modems = answer.is_object() ? answer.value("modems", json::array()) : answer;
        return std::ranges::count_if(modems, [](const json& modem) { return modem.is_object() && modem.value("state", "") == "ready"; }) >=
               count;
    });
}

bool enqueue(Gateway& gateway, int count, const json& more) {
    json batch = json::array();
    for (int n = 0; n < count; ++n) {
        json row = {{"to", invented_number(n)}, {"text", "message " + std::to_string(n)}, {"key", "key-" + std::to_string(n)}};
        row.update(more);
        batch.push_back(row);
    }
    return gateway.post("/v1/messages/batch", batch).status == 200 && gateway.messages().size() == static_cast<std::size_t>(count);
}

std::string lost_or_doubled(Gateway& gateway, const Sim& sim, int count) {
    const auto copies = sim.copies();
    std::string broken;
    int found = 0;
    for (const json& message : gateway.messages()) {
        ++found;
        const std::string status = message["status"], number = message["phone_number"];
        const auto at = copies.find(number);
        const int taken = at == copies.end() ? 0 : at->second;
        const bool known = (status == "sent" || status == "delivered") && taken == 1;
        const bool unknown = status == "unknown" && taken <= 1 && message["reason"].is_string() && message["reason"] != "";
        if (!known && !unknown) broken += number + " taken " + std::to_string(taken) + " times, " + message.dump() + "\n";
    }
    if (found != count) broken += std::to_string(found) + " messages instead of " + std::to_string(count) + "\n";
    for (const auto& [number, taken] : copies)
        if (taken > 1) broken += number + " taken " + std::to_string(taken) + " times\n";
    return broken;
}

std::string without_report(Gateway& gateway, const Sim& sim, std::chrono::milliseconds limit) {
    std::string missing;
    const auto copies = sim.copies();
    eventually(limit, [&] {
        missing.clear();
        for (const json& message : gateway.messages()) {
            const std::string status = message["status"];
            if (copies.contains(message["phone_number"]) && status != "delivered" && status != "undelivered")
                missing += message.dump() + "\n";
        }
        return missing.empty();
    });
    return missing;
}
