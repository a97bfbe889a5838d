#include "daemon/service/hand_over.hpp"

#include <algorithm>

namespace conductor::service {

bool HandOver::leave(MessageId id, std::uint64_t mask, WallTime now) {
    if (mask == 0 || kept_.contains(id.value)) return false;
    if (kept_.size() >= most) {
        // remembered a while longer than they bind, so that nothing is left twice; a clock that jumped back ends them too
        std::erase_if(kept_, [now](const auto& k) { return k.second.until <= now || k.second.until > now + bound; });
        if (kept_.size() >= most) return false;
    }
    const auto waiting = std::ranges::count_if(kept_, [&](const auto& k) { return k.second.mask == mask && k.second.until > now; });
    if (waiting >= most_for_one) return false;
    kept_[id.value] = {mask, now + bound};
    return true;
}

bool HandOver::left_to_others(MessageId id, ModemIndex modem, std::uint64_t able, WallTime now) const {
    const auto it = kept_.find(id.value);
    if (it == kept_.end()) return false;
    const auto& [mask, until] = it->second;
    if (mask >> (modem & 63) & 1) return false;
    return (mask & able) != 0 && now < until && until <= now + bound;
}

std::optional<WallTime> HandOver::next_end(WallTime now) const {
    std::optional<WallTime> first;
    for (const auto& [id, kept] : kept_)
        if (kept.until > now && (!first || kept.until < *first)) first = kept.until;
    return first;
}

}  // namespace conductor::service
