#pragma once
// The policy: may this message go out now? Checked when a message is accepted and again at its release (CONTRACT part 3).
#include <optional>
#include <string>
#include <vector>

#include "daemon/config/config.hpp"
#include "daemon/core/clock.hpp"
#include "daemon/core/message.hpp"

namespace conductor::dispatch {

/// What is known of a message, its recipient and the box at the moment of the decision.
struct Facts {
    MessageClass message_class = MessageClass::marketing;
    std::string phone_number;              ///< E.164 or short code
    std::optional<std::string> state;      ///< of the recipient's address, "CA"
    std::optional<std::string> time_zone;  ///< of the recipient's address, where it is known better than by state
    WallTime due{};
    std::optional<WallTime> expires;
    bool opted_out = false;
    std::optional<WallTime> opted_out_at;
    std::optional<WallTime> answers_inbound_at;  ///< replies: when the message that is answered came
    bool own_answer = false;                     ///< the gateway's own to STOP, START or HELP
    bool consented = false;
    std::optional<WallTime> last_sent;  ///< last marketing message to this number that was given to a modem
    std::vector<WallTime> contacts;     ///< when it got marketing in the last week, newest first; a set is one
    int budget_used_today = 0;          ///< marketing messages of this box since local midnight
    bool campaign_paused = false;
    /// Of a set (bubbles): what became of the message before this one. Behind one that is out, gap, caps and budget do not bind: a set is
    /// one contact. Behind one that failed it waits: a set resumes where it stopped.
    enum class Before : std::uint8_t { none, open, out, failed } before = Before::none;
    MessageId before_id;                     ///< which one that is; where it waits for another of the set, that other
    std::optional<std::int64_t> before_job;  ///< its row of Supabase
    std::optional<WallTime> before_at;       ///< when that one was sent
    int set_gap_ms = 2000;                   ///< between two of a set, [2000, 5000]
    std::optional<WallTime> behind_until;    ///< another of its class to this number is under way: when to look at that one again
};

enum class Ruling : std::uint8_t { send, wait, refuse };
struct Decision {
    Ruling ruling = Ruling::send;
    WallTime not_before{};                                 ///< wait: when to look again (never past the expiry)
    MessageStatus refused_as = MessageStatus::suppressed;  ///< refuse: suppressed or expired
    std::string reason;                                    ///< stable word; empty when it may be sent
    std::string detail;  ///< for reason_text(): the local time of the box until which it waits; of a set: for what
};

/// Pure and total. A waiting message is looked at again at `not_before`; a refused one has ended.
///
/// Messages of one class to one number leave one after the other: what was begun is ended first, however often it is tried.
/// By class (CONTRACT part 3). Marketing: opt-out, number, pause, consent, lateness, window, days, holidays and law in every zone that
/// address and number name (only their overlap), gap, caps, budget. Transactional: opt-out, number, pause, due time. Reply: due time, and
/// an opt-out, unless the inbound that it answers is newer. All: expiry. The limits of the SIMs bind beside this (sim_limits.hpp). Reasons:
/// not-due, quiet-hours, per-recipient-gap, per-recipient-cap, daily-budget, campaign-paused, set-order, set-stopped,
/// recipient-order, no-time-zone; opted-out, no-consent, premium-number, country-not-allowed, bad-number, no-window (suppressed); expired,
/// late (expired).
Decision decide(const config::Config& config, const Facts& facts, WallTime now);

/// The opt-out is business-wide. A reply may still answer an inbound that came after it: the STOP itself did not. The gateway's own answers
/// pass.
bool opt_out_binds(const Facts& facts);

/// When a message expires: `expire_after` from the first moment at or after `due` that window and days allow.
WallTime expiry_of(const config::Config& config, const Facts& facts, std::chrono::milliseconds expire_after);

/// Is this number one that may be written to at all: countries, premium ranges? The reason word, or empty. Short codes have no country.
std::string refused_number(const config::Config& config, const std::string& phone_number);

}  // namespace conductor::dispatch
