#include "modem/driver/network_watch.hpp"

#include <algorithm>
#include <array>

#include "modem/at/registration.hpp"

namespace conductor::driver {

void NetworkWatch::told(std::string_view domain, int stat, Instant now) {
    stats_.insert_or_assign(std::string{domain}, stat);
    blind_ = false;
    const bool served = domain == "+CREG" && stat != 3;
    if (without_sms_until_ && (served || now >= *without_sms_until_)) without_sms_until_.reset();
    settle(now);
}

void NetworkWatch::untold(Instant now) {
    blind_ = true;
    settle(now);
}

void NetworkWatch::forget() {
    stats_.clear();
    blind_ = false;
    best_usable_ = 0;
    cause_.reset();
    cause_text_.clear();
}

void NetworkWatch::rejected(std::optional<int> cause, std::string in_words) {
    cause_ = cause;
    cause_text_ = std::move(in_words);
}

void NetworkWatch::settle(Instant now) {
    best_usable_ = 0;
    for (const auto& [domain, stat] : stats_)
        if (at::registration_usable(stat) && (best_usable_ == 0 || domain == "+CREG")) best_usable_ = stat;
    if (usable()) {
        was_usable_ = true;
        cause_.reset();
        cause_text_.clear();
    } else if (was_usable_) {
        was_usable_ = false;
        since_ = now;
    }
}

bool NetworkWatch::usable_by(std::string_view domain) const {
    const auto known = stats_.find(domain);
    return known != stats_.end() && at::registration_usable(known->second) && !without_sms_until_;
}

int NetworkWatch::stat() const {
    if (best_usable_ != 0) return best_usable_;
    if (blind_) return 1;
    // A refusal says most, though another domain may still search.
    constexpr std::array order = {3, 2, 8, 11, 4, 0};
    for (const int wanted : order)
        for (const auto& [domain, stat] : stats_)
            if (stat == wanted) return stat;
    return 0;
}

std::string_view NetworkWatch::word() const {
    if (without_sms_until_) return "plan-without-sms";
    switch (stat()) {
        case 3: return "denied";
        case 8:
        case 11: return "emergency-only";
        case 4: return "no-coverage";
        case 0: return "not-searching";
        default: return "unregistered";
    }
}

std::string NetworkWatch::sentence() const {
    if (without_sms_until_)
        return "Packet service works, but the network refuses SMS to this SIM; sending waits, and is tried again within the hour. Ask the "
               "operator for SMS on its plan.";
    std::string text;
    switch (stat()) {
        case 3:
            text = "The network refuses the SIM; sending waits, and it is asked again now and then. Ask the operator about SIM and plan.";
            break;
        case 8:
        case 11:
            text = "The network allows emergency calls alone; sending waits. Check that the SIM is active and may use this network.";
            break;
        case 4: text = "The modem finds no network here; sending waits, and it goes on looking. Check antenna and reception."; break;
        case 0:
            text =
                "The modem is not looking for a network; sending waits, and it is told to register again. Check SIM, antenna and radio "
                "switch.";
            break;
        default: text = "The modem has no network yet; sending waits until it is registered.";
    }
    if (cause_) text += " Cause " + std::to_string(*cause_) + ": " + std::string{at::reject_cause_text(*cause_)};
    if (!cause_text_.empty()) text += " The modem says: \"" + cause_text_ + "\".";
    return text;
}

bool NetworkWatch::plan_without_sms() const {
    const auto circuit = stats_.find("+CREG");
    if (circuit == stats_.end() || circuit->second != 3) return false;
    return std::ranges::any_of(stats_, [](const auto& one) { return one.first != "+CREG" && at::registration_usable(one.second); });
}

std::optional<Trouble> NetworkWatch::trouble(Instant now) const {
    if (usable() || without_sms_until_ || was_usable_ || now - since_ <= patience) return std::nullopt;
    return stat() == 3 ? Trouble::denied : Trouble::unregistered;
}

}  // namespace conductor::driver
