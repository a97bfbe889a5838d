#pragma once
// Registration of one modem over all its domains (CS, GPRS, LTE, 5G), and what is to be told about it. Pure.
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/clock.hpp"
#include "modem/driver/ladder.hpp"

namespace conductor::driver {

class NetworkWatch {
public:
    static constexpr std::chrono::seconds patience{180};  ///< without a network before the ladder is asked

    /// <stat> of a domain ("+CREG", "+CGREG", "+CEREG", "+C5GREG"), of a query or a URC.
    void told(std::string_view domain, int stat, Instant now);
    /// The domain's command is not known to the modem.
    void unknown(std::string_view domain) { stats_.erase(std::string{domain}); }
    /// Whether the domain was told of since the bring-up.
    bool heard(std::string_view domain) const { return stats_.contains(domain); }
    /// No domain's command is known: nothing can be said, so it is tried.
    void untold(Instant now);
    void forget();  ///< at a bring-up
    void rejected(std::optional<int> cause, std::string in_words);

    /// A submission was refused for want of the service while plan_without_sms(): not usable for an hour, unless +CREG says other.
    void sms_refused(Instant now) { without_sms_until_ = now + std::chrono::hours{1}; }

    bool usable() const { return (blind_ || best_usable_ != 0) && !without_sms_until_; }
    bool usable_by(std::string_view domain) const;
    int stat() const;  ///< of the best domain: usable ones first, then denied, searching, emergency, idle

    /// Stable word while not usable: "denied", "emergency-only", "no-coverage", "not-searching", "unregistered" (it searches),
    /// "plan-without-sms".
    std::string_view word() const;
    /// What it means, what happens next and who must act.
    std::string sentence() const;
    /// The circuit-switched domain refuses the SIM while packet service goes on (FIELD row 32).
    bool plan_without_sms() const;
    /// For the ladder, when patience is at its end; empty while the network is there or was not missed for long.
    std::optional<Trouble> trouble(Instant now) const;

private:
    void settle(Instant now);
    std::map<std::string, int, std::less<>> stats_;
    bool blind_ = false;
    int best_usable_ = 0;
    Instant since_{};  ///< not usable since; meaningless while usable
    bool was_usable_ = true;
    std::optional<Instant> without_sms_until_;
    std::optional<int> cause_;
    std::string cause_text_;
};

}  // namespace conductor::driver
