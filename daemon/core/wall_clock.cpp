#include "daemon/core/wall_clock.hpp"

namespace conductor {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds supabase_agrees{2 * 60'000}, modem_agrees{5 * 60'000}, stored_ahead{5 * 60'000};
constexpr std::chrono::hours longest_off{24 * 400}, usual_off{24 * 7};
constexpr std::chrono::minutes others_first{10};  // after a boot: time services, Supabase and modems have told by then

milliseconds since_boot(const SystemTime& t) {
    return t.real.time_since_epoch() - std::chrono::duration_cast<milliseconds>(t.boot.time_since_epoch());
}

bool near(milliseconds a, milliseconds b, milliseconds limit) {
    return std::chrono::abs(a - b) <= limit;
}

}  // namespace

std::string_view to_string(TimeSource source) {
    switch (source) {
        case TimeSource::none: return "none";
        case TimeSource::system: return "system";
        case TimeSource::modem: return "modem";
        case TimeSource::rtc: return "rtc";
        case TimeSource::supabase: return "supabase";
        case TimeSource::ntp: return "ntp";
    }
    return "none";
}

bool WallClock::plausible(WallTime real) const {
    if (real < traits_.built) return false;
    return !newest_ || (real >= *newest_ - stored_ahead && real <= *newest_ + longest_off);
}

void WallClock::told(TimeSource source, Instant at, WallTime time) {
    if (time < traits_.built) return;
    (source == TimeSource::supabase ? supabase_ : modem_) = Reference{at, time};
}

void WallClock::confirm(const SystemTime& now) {
    jumped_ = false;
    set_ = true;
    trusted_ = last_ = since_boot(now);
    if (now.real >= traits_.built) newest_.reset();
}

void WallClock::notice_jump(const SystemTime& now) {
    const auto offset = since_boot(now);
    if (last_ && !near(offset, *last_, jump)) {
        if (trusted_)
            jumped_ = true;
        else
            set_ = true;
    }
    if (jumped_ && near(offset, *trusted_, jump)) jumped_ = false;
    last_ = offset;
}

ClockState WallClock::judge(const SystemTime& now) const {
    const auto offset = since_boot(now);
    const auto said = [](const Reference& r) {
        return r.time.time_since_epoch() - std::chrono::duration_cast<milliseconds>(r.at.time_since_epoch());
    };
    const auto sure = [](TimeSource source, milliseconds correction = milliseconds{0}) {
        return ClockState{.source = source, .sure = true, .offset = correction, .reason = {}};
    };
    if (now.synchronized && now.real >= traits_.built) return sure(TimeSource::ntp);
    if (supabase_) {
        const bool agrees = near(offset, said(*supabase_), supabase_agrees);
        return sure(TimeSource::supabase, agrees ? milliseconds{0} : said(*supabase_) - offset);
    }
    if (jumped_) {
        if (modem_ && near(offset, said(*modem_), modem_agrees)) return sure(TimeSource::modem);
        if (modem_ && near(*trusted_, said(*modem_), modem_agrees)) return sure(TimeSource::modem, *trusted_ - offset);
        return {.source = TimeSource::none, .sure = false, .offset = milliseconds{0}, .reason = "jumped"};
    }
    const bool plain = plausible(now.real);
    const bool far_ahead = plain && newest_ && now.real > *newest_ + usual_off && now.boot.time_since_epoch() < others_first;
    const bool believable = plain && !far_ahead;
    if (believable && traits_.rtc) return sure(TimeSource::rtc);
    if (believable && (set_ || !traits_.from_file)) return sure(TimeSource::system);
    if (modem_) {
        const bool agrees = near(offset, said(*modem_), modem_agrees);
        return sure(TimeSource::modem, agrees ? milliseconds{0} : said(*modem_) - offset);
    }
    const std::string_view why = far_ahead ? "far-ahead" : plain ? "from-file" : "implausible";
    return {.source = TimeSource::none, .sure = false, .offset = milliseconds{0}, .reason = why};
}

std::optional<WallTime> WallClock::wall(const SystemTime& now) {
    notice_jump(now);
    state_ = judge(now);
    if (!state_.sure) return std::nullopt;
    if (state_.offset == milliseconds{0}) {
        trusted_ = since_boot(now);
        jumped_ = false;
    } else {
        trusted_ = since_boot(now) + state_.offset;
    }
    return now.real + state_.offset;
}

}  // namespace conductor
