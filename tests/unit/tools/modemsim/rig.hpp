#pragma once
// A fleet on a clock that the test moves, and a client of one of its modems.
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tools/modemsim/core/fleet.hpp"

namespace conductor::modemsim {

class TestClock final : public Clock {
public:
    Instant now() const override { return now_; }
    std::optional<WallTime> wall() const override {
        return from_ms(1'795'000'000'000) + std::chrono::floor<Duration>(now_.time_since_epoch());
    }
    Instant now_{std::chrono::seconds{1000}};
};

struct Rig {
    TestClock clock;
    Fleet fleet;
    std::vector<std::string> out;
    std::vector<Submission> logged;

    explicit Rig(FleetOptions options = {}) : fleet{clock, options}, out(fleet.modems().size()) {
        for (std::size_t i = 0; i < out.size(); ++i) {
            fleet.modems()[i]->on_output = [this, i](std::string_view octets) { out[i] += octets; };
        }
        fleet.network().on_submission = [this](const Submission& s) { logged.push_back(s); };
    }
    SimModem& modem(std::size_t i = 0) { return *fleet.modems()[i]; }
    /// Moves the clock from timer to timer.
    void run(Duration time) {
        const Instant end = clock.now_ + time;
        while (fleet.scheduler().next() && *fleet.scheduler().next() <= end) {
            clock.now_ = std::max(clock.now_, *fleet.scheduler().next());
            fleet.scheduler().run_due();
        }
        clock.now_ = end;
    }
    /// What the modem wrote since the last time.
    std::string take(std::size_t i = 0) { return std::exchange(out[i], {}); }
    std::string type(std::string_view octets, std::size_t i = 0) {
        take(i);
        modem(i).receive(octets);
        return take(i);
    }
    std::string at(const std::string& line, std::size_t i = 0) { return type(line + "\r", i); }
    nlohmann::json ask(const char* request) { return fleet.control(nlohmann::json::parse(request)); }
    /// Echo off, PDU mode, indications of stored messages and direct reports.
    void set_up(std::size_t i = 0) { at("ATE0;+CMGF=0;+CNMI=2,1,0,1,0", i); }
    /// Sends the PDU of "hello" to +15550100123, with a report asked for, up to Ctrl-Z.
    void send_hello(std::size_t i = 0) { type(std::string{"AT+CMGS=19\r"} + hello + "\x1a", i); }
    static constexpr const char* hello = "0031000B915155100021F30000A705E8329BFD06";
};

}  // namespace conductor::modemsim
