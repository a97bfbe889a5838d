#include "tools/modemsim/core/fleet.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace conductor::modemsim {

char luhn(std::string_view digits) {
    int sum = 0;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        int d = digits[digits.size() - 1 - i] - '0';
        if (i % 2 == 0) d = d * 2 > 9 ? d * 2 - 9 : d * 2;
        sum += d;
    }
    return static_cast<char>('0' + (10 - sum % 10) % 10);
}

nlohmann::json to_json(const Submission& s) {
    nlohmann::json j{{"id", s.id},
                     {"time", to_rfc3339(s.time)},
                     {"mono_ms", std::chrono::duration_cast<Duration>(s.mono.time_since_epoch()).count()},
                     {"modem", s.modem},
                     {"imei", s.imei},
                     {"iccid", s.iccid},
                     {"from", s.from},
                     {"to", s.to},
                     {"tp_mr", s.tp_mr},
                     {"tpdu", to_hex(s.tpdu)},
                     {"text", s.text},
                     {"concat", nullptr},
                     {"rd", s.rd},
                     {"srr", s.srr},
                     {"dcs", s.dcs},
                     {"pid", s.pid},
                     {"answered", s.answered},
                     {"answer", s.answer.empty() ? nlohmann::json{} : nlohmann::json(s.answer)}};
    if (s.concat) j["concat"] = {{"ref", s.concat->ref}, {"total", s.concat->total}, {"seq", s.concat->seq}};
    return j;
}

Sim Fleet::make_sim(int index, int generation) const {
    const auto seed = static_cast<unsigned>(options_.seed % 10'000);
    Sim sim;
    sim.iccid = fmt::format("8900101{:04}{:03}{:04}", seed, generation % 1000, index % 10'000);
    sim.iccid += luhn(sim.iccid);
    sim.imsi = fmt::format("00101{:04}{:02}{:04}", seed, generation % 100, index % 10'000);
    // Generation 0: +15550199000 and up; SIMs put in later: +15550198000 and up.
    sim.number = generation == 0 ? fmt::format("+1555019{:04}", 9000 + index % 1000)
                                 : fmt::format("+1555019{:04}", 8000 + (generation * 64 + index) % 1000);
    sim.smsc = "+15550199999";
    return sim;
}

Fleet::Fleet(const Clock& clock, const FleetOptions& options)
    : options_{options}, scheduler_{clock}, network_{scheduler_, options.seed * 7919 + 1} {
    network_.report_delay = options.report_delay;
    network_.ussd_codes["*100#"].text = "Balance 10.00 USD";
    const Profile* profile = find_profile(options.profile);
    if (!profile) profile = find_profile("generic");
    for (int i = 0; i < options.modems; ++i) {
        std::string imei = fmt::format("350000{:04}{:04}", options.seed % 10'000, i % 10'000);
        imei += luhn(imei);
        const std::uint64_t seed = options.seed * 1'000'003 + static_cast<std::uint64_t>(i);
        auto modem = std::make_unique<SimModem>(i, *profile, imei, make_sim(i, 0), network_, scheduler_, seed);
        modem->latency = options.latency;
        modem->set_link(fmt::format("modem{}", i));
        modem->power_on(true);
        modems_.push_back(std::move(modem));
        sim_generation_.push_back(0);
    }
}

}  // namespace conductor::modemsim
