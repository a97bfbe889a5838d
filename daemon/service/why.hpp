#pragma once
// Why a message is where it is, what happens next and who must act: one function behind `why`, `queue explain`, the API and lists.
#include <nlohmann/json_fwd.hpp>

#include "daemon/service/ledger.hpp"

namespace conductor::service {

/// What only memory knows of a modem.
struct ModemView {
    ModemIndex index = 0;
    bool enabled = true;
    bool paused = false;                     ///< replies and what has begun go on
    bool up = false;                         ///< registered, and takes messages
    std::string reason;                      ///< of the driver, where it is not up: "mute", "pin-needed", "unregistered" ...
    std::string resting;                     ///< why its SIM rests; empty when it does not
    std::optional<WallTime> next_slot = {};  ///< its SIM's limits are reached until then
};
struct BoxView {
    std::vector<ModemView> modems;
    bool paused = false;
    bool clock_sure = true;
    std::string trouble;                          ///< trouble_word(); empty when the last commit was fine
    std::shared_ptr<const Granted> granted = {};  ///< claimed rows that have their go; read on the store's thread
};
/// The word of a store that takes no writes, for what waits.
std::string trouble_word(const Error& error);

struct Why {
    std::string word;    ///< stable; never empty
    std::string detail;  ///< fills the sentence
    bool blocked = false;
    std::string sentence(MessageStatus status) const;
};

/// What keeps a queued message that the policy would release from going out now: the box, its lane, its modems; nothing when it is only its
/// turn that it waits for. Reads no database.
std::optional<Why> blocked_by_box(const Env& env, const store::MessageRow& row, const BoxView& box, WallTime now);

/// Gives a queued row the reason that lists and answers show: what keeps the whole box, else what it was parked for, else what its modems
/// wait for. Reads no database.
void name_reason(const Env& env, store::MessageRow& row, const BoxView& box, WallTime now);

/// The one true cause, the first of: the box cannot act, the message has ended or is out, it backs off, the policy, its modems, its turn.
Why why(store::Tx& tx, const Env& env, const store::MessageRow& row, const BoxView& box, WallTime now);

/// The answer of GET /v1/messages/{id}/explain.
nlohmann::json explain(store::Tx& tx, const Env& env, const store::MessageRow& row, const BoxView& box, WallTime now);

}  // namespace conductor::service
