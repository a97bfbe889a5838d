#include "daemon/service/hand_over.hpp"

#include <algorithm>

namespace conductor::service {

bool HandOver::leave(const std::string& phone, std::uint64_t mask, WallTime now) {
    // remembered a while longer than it binds, so that nothing is left twice in a row; a clock that jumped back ends it too
    const auto is_over = [now](const Kept& k) { return k.until + bound <= now || k.until > now + bound; };
    if (const auto it = kept_.find(phone); mask == 0 || (it != kept_.end() && !is_over(it->second))) return false;
    if (kept_.size() >= most) std::erase_if(kept_, [&](const auto& k) { return is_over(k.second); });
    if (kept_.size() >= most) return false;
    const auto waiting = std::ranges::count_if(kept_, [&](const auto& k) { return k.second.mask == mask && k.second.until > now; });
    if (waiting >= most_for_one) return false;
    kept_[phone] = {mask, now + bound};
    return true;
}

bool HandOver::left_to_others(const std::string& phone, ModemIndex modem, std::uint64_t able, WallTime now) const {
    const auto it = kept_.find(phone);
    if (it == kept_.end()) return false;
    const auto& [mask, until] = it->second;
    if (mask >> (modem & 63) & 1) return false;
    return (mask & able) != 0 && now < until && until <= now + bound;
}

std::optional<WallTime> HandOver::next_end(WallTime now) const {
    std::optional<WallTime> first;
    for (const auto& [phone, kept] : kept_)
        if (kept.until > now && (!first || kept.until < *first)) first = kept.until;
    return first;
}

}  // namespace conductor::service
