// Wire and power.
#include "tools/modemsim/core/modem.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "tools/modemsim/core/flight.hpp"
#include "tools/modemsim/core/network.hpp"

namespace conductor::modemsim {
namespace {

constexpr std::size_t backlog_limit = 4096;
constexpr std::size_t slow_limit = 65'536;

}  // namespace

bool Registration::can_sms() const {
    return std::ranges::any_of(stat, [](int s) { return s == 1 || s == 5 || s == 6 || s == 7 || s == 9 || s == 10; });
}

int Call::number(std::size_t i, int missing) const {
    if (i >= fields.size() || fields[i].empty()) return missing;
    int value = 0;
    const auto [end, failed] = std::from_chars(fields[i].data(), fields[i].data() + fields[i].size(), value);
    return failed == std::errc{} && end == fields[i].data() + fields[i].size() ? value : -1;
}

SimModem::SimModem(int index, const Profile& profile, std::string imei, Sim sim, Network& network, Scheduler& scheduler, std::uint64_t seed)
    : index_{index},
      profile_{&profile},
      imei_{std::move(imei)},
      sim_{std::move(sim)},
      network_{network},
      scheduler_{scheduler},
      random_{seed},
      storage_{profile.sm_slots, profile.me_slots, profile.sr_slots, profile.first_index} {
    next_mr_ = static_cast<std::uint8_t>(random_() % 256);
    network_.attach(*this);
}

void SimModem::receive(std::string_view octets) {
    if (!powered_ || booting_ || (faults_.mute && faults_.deaf)) return;
    for (const char c : octets) {
        if (mode_ == Mode::busy) {
            if (backlog_.size() < backlog_limit) backlog_.push_back(c);
        } else if (mode_ == Mode::body) {
            typed_body(c);
        } else {
            typed(c);
        }
        if (!powered_ || booting_) return;  // the command was a reset
    }
}

void SimModem::put(std::string_view octets) {
    if (!powered_ || faults_.mute || octets.empty()) return;
    std::string out;
    if (faults_.garbage.fire(random_)) {
        for (int i = 0; i < faults_.garbage_octets; ++i) out.push_back(static_cast<char>(random_() % 256));
    }
    out += octets;
    if (faults_.octets_per_second <= 0 && slow_queue_.empty()) {
        if (on_output) on_output(out);
        return;
    }
    if (slow_queue_.size() < slow_limit) slow_queue_ += out;
    if (!std::exchange(pacing_, true)) pace();
}

void SimModem::pace() {
    const int speed = faults_.octets_per_second;
    const std::size_t octets = speed <= 0 ? slow_queue_.size() : static_cast<std::size_t>(std::max(1, speed / 50));
    const std::string now = slow_queue_.substr(0, octets);
    slow_queue_.erase(0, now.size());
    if (on_output && !now.empty()) on_output(now);
    if (slow_queue_.empty()) {
        pacing_ = false;
        return;
    }
    after(Duration{speed <= 0 ? 0 : std::max(20, 1000 / speed)}, &SimModem::pace);
}

void SimModem::after(Duration delay, void (SimModem::*action)()) {
    after(delay, [this, action] { (this->*action)(); });
}

void SimModem::after(Duration delay, std::function<void()> action) {
    scheduler_.after(delay, [this, epoch = epoch_, action = std::move(action)] {
        if (epoch == epoch_) action();
    });
}

void SimModem::urc(const std::string& line) {
    if (!powered_ || booting_) return;
    ++counters_.urcs;
    const std::string text = "\r\n" + line + "\r\n";
    if (mode_ == Mode::body)
        held_urcs_.push_back(text);
    else
        put(text);
}

void SimModem::release() {
    mode_ = Mode::command;
    line_.clear();
    for (const std::string& text : std::exchange(held_urcs_, {})) put(text);
    receive(std::exchange(backlog_, {}));
}

void SimModem::power_on(bool quick) {
    if (powered_) return;
    ++epoch_;
    ++counters_.boots;
    powered_ = true;
    session_ = saved_;
    mode_ = Mode::command;
    line_.clear(), rest_.clear(), backlog_.clear(), slow_queue_.clear(), held_urcs_.clear(), held_indications_.clear();
    pacing_ = routing_ended_ = false;
    cfun_ = 1;
    ussd_text_mode_ = false;
    ussd_dialogue_.clear();
    sim_unlocked_ = sim_.pin.empty();
    chattering_ = !profile_->chatter.empty();
    for (std::size_t i = 0; chattering_ && i < profile_->chatter.size(); ++i) {
        after(profile_->chatter_every * static_cast<int>(i + 1), [this, i] { chatter(i); });
    }
    if (quick) {
        sms_ready_ = true;
        ready();
        return;
    }
    booting_ = true, sms_ready_ = false;
    after(profile_->boot, &SimModem::ready);
    after(std::max(profile_->boot, profile_->sms_ready), [this] { sms_ready_ = true; });
    for (const Spontaneous& s : profile_->boot_urcs) {
        if (!sim_unlocked_ && s.line == "+CPIN: READY") {
            after(s.after, [this] { urc("+CPIN: SIM PIN"); });
        } else {
            after(std::max(s.after, profile_->boot), [this, line = s.line] { urc(line); });
        }
    }
}

void SimModem::ready() {
    booting_ = false;
    network_.try_mailbox(*this);
}

void SimModem::chatter(std::size_t which) {
    if (!chattering_ || which >= profile_->chatter.size()) return;  // `set` may have changed the profile
    urc(profile_->chatter[which]);
    after(profile_->chatter_every * static_cast<int>(profile_->chatter.size()), [this, which] { chatter(which); });
}

void SimModem::power_off() {
    if (!powered_) return;
    resolve(false, "");
    ++epoch_;
    powered_ = false, booting_ = false;
    rings_left_ = 0;
    if (!unacknowledged_.empty()) {
        const Octets again = std::exchange(unacknowledged_, {});
        network_.send(sim_.number, again, true);
    }
}

void SimModem::reboot(Duration down, std::optional<bool> drop_port) {
    const bool drop = drop_port.value_or(profile_->usb);
    power_off();
    if (drop) set_port(false);
    after(down, [this, drop] {
        if (drop) set_port(true);
        power_on();
    });
}

bool SimModem::reachable() const {
    return powered_ && !booting_ && cfun_ == 1 && sim_.present && sim_unlocked_ && registration_.can_sms();
}

void SimModem::set_registration(const Registration& r) {
    const Registration before = std::exchange(registration_, r);
    for (std::size_t i = 0; i < 3; ++i) {
        if (before.stat[i] != r.stat[i] || before.area != r.area || before.cell != r.cell) creg_urc(i);
    }
    if (reachable()) network_.try_mailbox(*this);
}

void SimModem::swap_sim(Sim sim) {
    if (!unacknowledged_.empty()) network_.send(sim_.number, std::exchange(unacknowledged_, {}), true);  // it is the old SIM's
    sim_ = std::move(sim);
    storage_.memory("SM").slots.clear();
    sim_unlocked_ = sim_.pin.empty();
    if (profile_->name == "quectel") urc("+QUSIM: 1");
    urc("+CPIN: " + cpin_state());
    if (reachable()) network_.try_mailbox(*this);
}

void SimModem::set_profile(const Profile& profile) {
    profile_ = &profile;
    storage_ = Storage{profile.sm_slots, profile.me_slots, profile.sr_slots, profile.first_index};
}

void SimModem::remove_sim() {
    sim_.present = false;
    urc("+CPIN: NOT READY");
}

void SimModem::lock_sim() {
    sim_unlocked_ = false;
    urc("+CPIN: " + cpin_state());
}

}  // namespace conductor::modemsim
