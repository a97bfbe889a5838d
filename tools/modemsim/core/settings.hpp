#pragma once
// What can be set, at start or over the control socket: delays, rates, faults, and the behaviour of numbers.
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tools/modemsim/core/scheduler.hpp"

namespace conductor::modemsim {

using Random = std::mt19937_64;

/// A fixed delay, or a uniform one when `most` is above `least`.
struct Range {
    Duration least{0}, most{0};
    Duration pick(Random& random) const {
        if (most <= least) return least;
        return Duration{std::uniform_int_distribution<Duration::rep>{least.count(), most.count()}(random)};
    }
};
/// "500ms", "2s", "1m", "100-900ms", "1s-3s"; a bare number is milliseconds. Empty when it is none of these.
std::optional<Range> parse_range(std::string_view text);

/// Something that happens to the next `count` occasions, and to each other one with probability `rate`.
struct Trigger {
    int count = 0;
    double rate = 0;
    bool fire(Random& random) {
        if (count > 0) return --count, true;
        return rate > 0 && std::uniform_real_distribution<>{0, 1}(random) < rate;
    }
};

/// Faults of one modem. All off at the start.
struct Faults {
    bool mute = false;         ///< nothing is written to the port
    bool deaf = false;         ///< with mute: nothing typed is obeyed either
    Trigger lost_answer;       ///< the network takes the submission, its answer is never written
    Trigger dropped;           ///< neither taken nor answered
    Trigger ignored;           ///< any command line: no answer at all
    Trigger cms;               ///< a submission ends with +CMS ERROR: cms_code instead of being taken
    int cms_code = 500;        ///< negative: a bare ERROR
    bool cms_accepts = false;  ///< the network takes it in spite of the error
    Trigger prompt_cms;        ///< AT+CMGS is refused before its prompt
    Trigger urc_inside;        ///< a URC before the final result of an answer
    Trigger urc_prompt;        ///< a URC between AT+CMGS and its prompt
    std::string urc = "^RSSI:19";
    Trigger garbage;  ///< junk octets in front of something written
    int garbage_octets = 8;
    int octets_per_second = 0;                  ///< pace of what the modem writes; 0 = at once
    bool storage_full = false;                  ///< every memory says it is full
    Trigger reboot_on_submit;                   ///< power fails after the network took it
    Duration cnma_guard{15'000};                ///< how long a +CMT or +CDS waits for its +CNMA under +CSMS=1
    std::optional<std::string> cnma_forms{};    ///< instead of the profile's; empty: every AT+CNMA is refused
    bool csms_refused = false;                  ///< AT+CSMS=1 ends with ERROR
    Trigger lost_write;                         ///< AT+CMGW: written, its answer is never
    bool knows_cmgw = true, knows_cmss = true;  ///< false: ERROR
    bool marks_sent = true;                     ///< AT+CMSS marks the slot "stored sent"
};

/// What one number does with messages sent to it. The first rule that fits applies.
struct Rule {
    std::string number;  ///< digits with or without '+'; "*" at the end stands for any digits
    int times = -1;      ///< how often it still applies; -1 = for ever
    std::optional<int> cms;
    bool cms_accepts = false;
    bool lost_answer = false;
    std::optional<Range> latency;
    bool reports = true;
    std::vector<int> status{0};  ///< TP-ST of the reports, one after the other
    std::optional<Range> report_delay;
    std::optional<std::string> reply;  ///< text that the number answers with
    Range reply_delay{Duration{200}, Duration{200}};
    double fail_rate = 0;  ///< share of submissions that get `cms` (or 500), the rest go through
};

/// Answer to a USSD code or to a step of a dialogue. `steps` non-empty: the network waits for one of those ("*" = anything).
struct UssdAnswer {
    std::string text;
    std::optional<int> dcs;  ///< 15 or 72; empty: 15 where GSM-7 carries the text
    Range delay{Duration{300}, Duration{300}};
    int type = -1;  ///< first field of +CUSD; -1: 1 when steps follow, else 0
    std::map<std::string, UssdAnswer> steps;
};

}  // namespace conductor::modemsim
