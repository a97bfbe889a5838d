#pragma once
// Inside the core alone: the handlers of control requests. They throw std::exception for a bad request; Fleet::control answers for it.
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "tools/modemsim/core/fleet.hpp"

namespace conductor::modemsim {

Range to_range(const nlohmann::json& value);
nlohmann::json to_json(const Range& range);
UssdAnswer to_ussd(const nlohmann::json& value);
/// "count", "rate" or "on"; none of them: once.
void set_trigger(Trigger& trigger, const nlohmann::json& request);

class Requests {
public:
    explicit Requests(Fleet& fleet) : fleet_{fleet} {}
    nlohmann::json handle(const nlohmann::json& request);

    using J = nlohmann::json;
    J set(const J& r);
    J rule(const J& r);

private:
    struct Row {
        std::string_view name;
        J (Requests::*handler)(const J&);
    };
    static std::span<const Row> rows();
    std::vector<SimModem*> chosen(const J& request, bool default_all);
    SimModem& one(const J& request) { return *chosen(request, false).front(); }

    J state(const J& r);
    J stats(const J& r);
    J submissions(const J& r);
    J quit(const J& r);
    J rules(const J& r);
    J ussd(const J& r);

    J inject(const J& r);
    J inject_report(const J& r);
    J ring(const J& r);
    J urc(const J& r);
    J raw(const J& r);

    J mute(const J& r);
    J unplug(const J& r);
    J plug(const J& r);
    J reboot(const J& r);
    J power(const J& r);
    J cms(const J& r);
    J lost_answer(const J& r);
    J dropped(const J& r);
    J ignore(const J& r);
    J urc_inside(const J& r);
    J urc_prompt(const J& r);
    J garbage(const J& r);
    J slow(const J& r);
    J registration(const J& r);
    J storage(const J& r);
    J storing(const J& r);
    J sim(const J& r);
    J pin(const J& r);
    J clear(const J& r);

    Fleet& fleet_;
};

}  // namespace conductor::modemsim
