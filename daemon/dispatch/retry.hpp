#pragma once
// What follows a submission that was not accepted (FIELD part 3.7): the error engine's class and scope decide.
#include <chrono>
#include <cstdint>
#include <string>

#include "daemon/config/config.hpp"
#include "modem/at/errors.hpp"

namespace conductor::dispatch {

enum class Then : std::uint8_t {
    accepted,  ///< it is out after all (CMS 197 after a resubmission)
    again,     ///< try again after `delay`
    give_up,   ///< failed for good
    unknown,   ///< it may have gone out, and the policy is to hold
};
struct NextTry {
    Then then = Then::again;
    std::chrono::milliseconds delay{0};
    bool counts = true;        ///< uses one of max_attempts
    bool other_modem = false;  ///< better on another modem, if there is one
    bool pause_sim = false;    ///< the SIM is to be held: SIM-scope trouble
    std::string reason;        ///< stable word
};

struct Tried {
    int counted = 0;            ///< attempts that counted before this one
    int strikes = 0;            ///< earlier tries of this message that ended with the same word
    bool resubmission = false;  ///< an earlier submission of this part may have gone out (TP-RD was set)
    OnUnknown on_unknown = OnUnknown::hold;
    bool may_be_out = false;  ///< the outcome is open: Ctrl-Z was written and no definite refusal came
};

/// `random` is any uniformly distributed number; it makes the jitter.
NextTry next_try(const at::Verdict& verdict, const Tried& tried, const config::Send& config, std::uint64_t random);

}  // namespace conductor::dispatch
