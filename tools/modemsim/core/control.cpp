// The control requests. Each is a function from (fleet, modem, request) to an answer; the table names them.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/modemsim/core/fleet.hpp"
#include "tools/modemsim/core/requests.hpp"

namespace conductor::modemsim {

using nlohmann::json;

Range to_range(const json& value) {
    if (value.is_number()) {
        const Duration d{static_cast<Duration::rep>(value.get<double>())};
        return {d, d};
    }
    const auto range = value.is_string() ? parse_range(value.get<std::string>()) : std::nullopt;
    if (!range) throw std::invalid_argument{"not a delay: " + value.dump()};
    return *range;
}

json to_json(const Range& r) {
    const std::string least = std::to_string(r.least.count()) + "ms";
    return r.least == r.most ? json(least) : json(std::to_string(r.least.count()) + "-" + std::to_string(r.most.count()) + "ms");
}

void set_trigger(Trigger& t, const json& request) {
    const bool bare = !request.contains("count") && !request.contains("rate") && !request.contains("on");
    if (request.contains("on") && !request["on"].get<bool>()) return void(t = {});
    if (request.contains("on")) t.rate = 1;
    if (bare) t.count = 1;
    t.count = request.value("count", t.count);
    t.rate = request.value("rate", t.rate);
}

std::vector<SimModem*> Requests::chosen(const json& request, bool default_all) {
    std::vector<SimModem*> out;
    const json which = request.value("modem", default_all ? json("all") : json(0));
    if (which == "all") {
        for (const auto& m : fleet_.modems()) out.push_back(m.get());
        return out;
    }
    const auto one = [&](const json& index) {
        const auto i = index.is_number_integer() && index >= 0 ? index.get<std::size_t>() : fleet_.modems().size();
        if (i >= fleet_.modems().size()) throw std::invalid_argument{"no such modem: " + index.dump()};
        out.push_back(fleet_.modems()[i].get());
    };
    if (which.is_array())
        std::ranges::for_each(which, one);
    else
        one(which);
    return out;
}

json Requests::handle(const json& request) {
    if (!request.is_object()) throw std::invalid_argument{"a request is an object"};
    const std::string name = request.contains("do") ? request["do"].get<std::string>() : request.value("cmd", "");
    for (const Row& row : rows()) {
        if (row.name != name) continue;
        json answer = (this->*row.handler)(request);
        if (!answer.is_object()) answer = json::object();
        answer["ok"] = true;
        return answer;
    }
    std::string names;
    for (const Row& row : rows()) names += " " + std::string{row.name};
    throw std::invalid_argument{"unknown request \"" + name + "\"; known:" + names};
}

json Fleet::control(const json& request) {
    try {
        return Requests{*this}.handle(request);
    } catch (const std::exception& e) {  // a wrong type or name in the request: the asker's mistake, said to him
        return json{{"ok", false}, {"error", e.what()}};
    }
}

std::string Fleet::configure(const json& config) {
    try {
        Requests requests{*this};
        for (const auto& [key, value] : config.items()) {
            if (key == "set") {
                json set = value;
                requests.set(set);
            } else if (key == "modem") {
                for (const json& each : value) requests.set(each);
            } else if (key == "rule") {
                for (const json& each : value) requests.rule(each);
            } else if (key == "ussd") {
                for (const auto& [code, answer] : value.items()) network_.ussd_codes[code] = to_ussd(answer);
            } else if (key == "control") {
                for (const json& each : value) requests.handle(each);
            } else {
                return "unknown key \"" + key +
                       "\"; known: set modem rule ussd control modems latency report_delay seed profile log control_socket";
            }
        }
    } catch (const std::exception& e) {  // start-up: the caller prints it and ends
        return e.what();
    }
    return {};
}

}  // namespace conductor::modemsim
