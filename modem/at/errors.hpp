#pragma once
// The error table: what a failure means, whom it is about, and what follows (TS 24.011 table 8.4, TS 23.040 §9.2.3.22, TS 27.005 §3.2.5,
// TS 27.007 §9.2).
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace conductor::at {

enum class ErrorClass : unsigned char {
    permanent_recipient,  ///< this number cannot be reached: fail now
    permanent_content,    ///< our PDU or parameters: fail now
    transient,            ///< the network, later
    busy,                 ///< the same command again within seconds, on the same modem
    modem,                ///< climb the recovery ladder
    human,                ///< SIM, PIN, plan or balance: stop that SIM and tell a person
    ambiguous,            ///< it may have gone out
    duplicate,            ///< the SMSC has it already: success
};
enum class Scope : unsigned char { recipient, sim, modem, network, message };  ///< whom the strike counts against

/// What follows when a code's own tries are used up.
enum class AtLimit : unsigned char {
    fail,      ///< the message fails: it is about its recipient or its content after all
    rest_sim,  ///< the SIM is paused, and the message waits for another
};

enum class FailureKind : unsigned char { cms, cme, plain_error, timeout, hang_up, no_prompt };
enum class Phase : unsigned char { before_ctrl_z, after_ctrl_z };

struct Failure {
    FailureKind kind = FailureKind::plain_error;
    std::optional<int> code;  ///< of +CMS ERROR or +CME ERROR
    Phase phase = Phase::after_ctrl_z;
};

struct Verdict {
    ErrorClass error_class = ErrorClass::transient;
    Scope scope = Scope::message;
    bool counts = true;                   ///< uses one of max_attempts: false where no network or no modem was there
    int tries = 0;                        ///< own limit of this code; 0 = max_attempts alone
    std::chrono::seconds first_delay{0};  ///< before the next try; 0 = the configured back-off
    std::string word;                     ///< stable reason: "cms-38", "cme-14", "timeout", "no-prompt", "error"
    std::string_view meaning;             ///< one sentence for people
    std::string_view advice;              ///< what happens next, and who must act
    AtLimit at_limit = AtLimit::fail;
};

/// Total: an unknown code gets its range's verdict. Words are "cms-N", "cme-N", "error", "timeout", "port-lost" (hang-up) and "no-prompt".
Verdict classify(const Failure& failure);

/// Before Ctrl-Z nothing can have gone out: true. After it: RP-causes 1-127, TP-FCS 128-255 and 301-331 are a definite refusal; everything
/// else may have gone out.
bool is_definite(const Failure& failure);

/// The modem cannot use its SIM: there is none, or it is locked, failed or the wrong one. When that is over the modem says so (AT+CPIN?),
/// unlike a plan or a barring.
bool is_sim_unusable(FailureKind kind, std::optional<int> code);

}  // namespace conductor::at
