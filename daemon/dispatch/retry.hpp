#pragma once
// What follows a submission that was not accepted (FIELD part 3.7): the error engine's class and scope decide.
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "daemon/config/config.hpp"
#include "daemon/core/clock.hpp"
#include "daemon/core/ids.hpp"
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
    bool counts = true;      ///< uses one of max_attempts
    bool pause_sim = false;  ///< the SIM is to be held: SIM-scope trouble
    std::string reason;      ///< stable word
};

struct Tried {
    int counted = 0;            ///< attempts that counted before this one
    int strikes = 0;            ///< earlier tries of this message that ended with the same word
    bool resubmission = false;  ///< an earlier submission of this part may have gone out (TP-RD was set)
    OnUnknown on_unknown = OnUnknown::hold;
    bool may_be_out = false;  ///< the outcome is open: Ctrl-Z was written and no definite refusal came
};

/// `random` is any uniformly distributed number; it makes the jitter. Delays: busy codes 1-30 s on the same modem; transient ones the
/// configured back-off (`first` * `factor`^n up to `max`); a code with a pause of its own of ten minutes or more that pause times 4^n, up
/// to 4 h.
NextTry next_try(const at::Verdict& verdict, const Tried& tried, const config::Send& config, std::uint64_t random);

/// The configured back-off before try n + 1 (n from 0): `first` * `factor`^n up to `max`, with its jitter.
std::chrono::milliseconds back_off(const config::Retry& retry, int n, std::uint64_t random);

/// What one SIM (ICCID) was refused lately. Refusals that blame the number, for several numbers in a row, are the SIM's own trouble: it is
/// not provisioned, or out of credit. An accepted part proves the SIM and clears them.
class SimStrikes {
public:
    static constexpr std::chrono::minutes window{10};
    static constexpr int recipients = 3;       ///< distinct numbers within `window`, none accepted between them
    static constexpr int open_recipients = 5;  ///< where what the network did is not known (CMS 500): it may have taken some
    static constexpr std::size_t most = 64;
    static constexpr std::chrono::minutes most_rest{24 * 60};

    struct Outcome {
        bool pause = false;             ///< the SIM is to rest for `rest`, or until a person accepts it
        std::chrono::minutes rest{15};  ///< longer each time, up to a day, while nothing was accepted in between
        std::string reason;             ///< "sim-refused"
        std::vector<MessageId> reopen;  ///< messages that failed for their number: it was the SIM, so they wait again
    };
    void accepted();
    /// Call after next_try() for each refusal, and for each open ending that speaks of the SIM.
    Outcome refused(const at::Verdict& verdict, std::string phone_number, MessageId message, WallTime now);

private:
    struct Strike {
        WallTime at;
        std::string phone_number;
        MessageId message;
        bool ended;  ///< the message failed for good
        bool open;   ///< it may have gone out
    };
    std::deque<Strike> strikes_;
    int rests_ = 0;  ///< in a row: after one, the next refusal that blames the SIM is proof enough, and burns one message, not several
};

}  // namespace conductor::dispatch
