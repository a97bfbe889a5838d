#include "tools/modemsim/core/tpdu.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace conductor::modemsim {
namespace {

constexpr std::string_view bcd_digits = "0123456789*#abc";

/// Reads forward and remembers that it ran past the end.
class Reader {
public:
    explicit Reader(const Octets& octets) : octets_{octets} {}
    std::uint8_t octet() {
        if (at_ < octets_.size()) return octets_[at_++];
        good_ = false;
        return 0;
    }
    Octets take(std::size_t count) {
        if (octets_.size() - at_ < count) {
            good_ = false;
            return {};
        }
        at_ += count;
        return Octets{octets_.begin() + static_cast<std::ptrdiff_t>(at_ - count), octets_.begin() + static_cast<std::ptrdiff_t>(at_)};
    }
    Address address() {
        const std::size_t semi = octet();
        Address a{octet(), {}};
        const Octets value = take((semi + 1) / 2);
        if (semi > 20) good_ = false;
        if (!good_) return a;
        if ((a.toa & 0x70U) == 0x50) {
            a.digits = to_utf8(from_gsm7(unpack(value, semi * 4 / 7)));
            return a;
        }
        for (std::size_t i = 0; i < semi; ++i) {
            const unsigned digit = i % 2 ? value[i / 2] >> 4 : value[i / 2] & 15U;
            if (digit < bcd_digits.size()) a.digits.push_back(bcd_digits[digit]);
        }
        return a;
    }
    std::string time() {
        const Octets t = take(7);
        if (!good_) return {};
        const auto two = [](unsigned o) { return (o & 15U) * 10 + (o >> 4); };
        const unsigned zone = (t[6] & 7U) * 10 + (t[6] >> 4U);
        return fmt::format("{:02}/{:02}/{:02},{:02}:{:02}:{:02}{}{:02}", two(t[0]), two(t[1]), two(t[2]), two(t[3]), two(t[4]), two(t[5]),
                           t[6] & 8U ? '-' : '+', zone);
    }
    UserData user_data(std::uint8_t dcs, bool udhi) {
        UserData data{dcs, udhi, octet(), {}};
        const bool septets = alphabet_of(dcs) == Alphabet::gsm7;
        data.octets = take(septets ? (data.length * 7 + 7) / 8 : data.length);
        if (data.length > (septets ? 160U : 140U)) good_ = false;
        if (udhi && (data.octets.empty() || data.octets[0] + 1U > data.octets.size())) good_ = false;
        return data;
    }
    bool good() const { return good_; }
    bool done() const { return good_ && at_ == octets_.size(); }

private:
    const Octets& octets_;
    std::size_t at_ = 0;
    bool good_ = true;
};

void append(Octets& out, const Octets& more) {
    out.insert(out.end(), more.begin(), more.end());
}

Octets bcd(std::string_view digits) {
    Octets out((digits.size() + 1) / 2, 0xff);
    for (std::size_t i = 0; i < digits.size(); ++i) {
        const auto value = static_cast<unsigned>(bcd_digits.find(digits[i])) & 15U;
        const unsigned old = out[i / 2];
        out[i / 2] = static_cast<std::uint8_t>(i % 2 ? (old & 0x0fU) | value << 4 : (old & 0xf0U) | value);
    }
    return out;
}

void put_address(Octets& out, const Address& a) {
    if ((a.toa & 0x70U) == 0x50) {
        const Octets septets = to_gsm7(from_utf8(a.digits)).value_or(Octets{});
        out.push_back(static_cast<std::uint8_t>((septets.size() * 7 + 3) / 4));
        out.push_back(a.toa);
        append(out, pack(septets));
        return;
    }
    out.push_back(static_cast<std::uint8_t>(a.digits.size()));
    out.push_back(a.toa);
    append(out, bcd(a.digits));
}

void put_time(Octets& out, WallTime utc, int zone) {
    const auto local = utc + std::chrono::minutes{15 * zone};
    const auto day = std::chrono::floor<std::chrono::days>(local);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(local - day)};
    const auto put = [&](unsigned n) { out.push_back(static_cast<std::uint8_t>(n % 10 << 4 | n / 10 % 10)); };
    put(static_cast<unsigned>(static_cast<int>(date.year()) % 100));
    put(static_cast<unsigned>(date.month()));
    put(static_cast<unsigned>(date.day()));
    put(static_cast<unsigned>(clock.hours().count()));
    put(static_cast<unsigned>(clock.minutes().count()));
    put(static_cast<unsigned>(clock.seconds().count()));
    put(static_cast<unsigned>(zone < 0 ? -zone : zone));
    if (zone < 0) out.back() = static_cast<std::uint8_t>(out.back() | 8U);
}

void put_user_data(Octets& out, const UserData& data) {
    out.push_back(static_cast<std::uint8_t>(data.length));
    append(out, data.octets);
}

UserData make_part(Alphabet alphabet, std::optional<int> message_class, const Octets& udh, const Octets& units) {
    UserData data;
    data.dcs = alphabet == Alphabet::ucs2 ? 0x08 : alphabet == Alphabet::data ? 0x04 : 0x00;
    if (message_class) data.dcs = static_cast<std::uint8_t>(data.dcs | 0x10U | (static_cast<unsigned>(*message_class) & 3U));
    data.udhi = !udh.empty();
    if (data.udhi) {
        data.octets.push_back(static_cast<std::uint8_t>(udh.size()));
        append(data.octets, udh);
    }
    if (alphabet != Alphabet::gsm7) {
        append(data.octets, units);
        data.length = static_cast<unsigned>(data.octets.size());
        return data;
    }
    const auto header_bits = static_cast<unsigned>(data.octets.size() * 8);
    const unsigned fill = (7 - header_bits % 7) % 7;
    append(data.octets, pack(units, fill));
    data.length = (header_bits + fill) / 7 + static_cast<unsigned>(units.size());
    data.octets.resize((data.length * 7 + 7) / 8);
    return data;
}

// How many units of `units` from `at` go into a part of `room` units without cutting a character.
std::size_t cut(const Octets& units, std::size_t at, std::size_t room, Alphabet alphabet, bool split_surrogates) {
    if (units.size() - at <= room) return units.size() - at;
    if (alphabet == Alphabet::gsm7 && units[at + room - 1] == 0x1b) return room - 1;
    if (alphabet == Alphabet::ucs2 && !split_surrogates && (units[at + room - 2] & 0xfcU) == 0xd8) return room - 2;
    return room;
}

}  // namespace

std::string Address::text() const {
    return (toa & 0x70U) == 0x10 ? "+" + digits : digits;
}

Address make_address(std::string_view text) {
    if (!text.empty() && text[0] == '+') return {0x91, std::string{text.substr(1)}};
    const bool number = text.find_first_not_of("0123456789*#") == std::string_view::npos;
    return {static_cast<std::uint8_t>(number ? 0x81 : 0xd0), std::string{text}};
}

Octets UserData::udh() const {
    if (!udhi || octets.empty() || octets[0] + 1U > octets.size()) return {};
    return Octets{octets.begin() + 1, octets.begin() + 1 + octets[0]};
}

std::optional<Concat> UserData::concat() const {
    const Octets header = udh();
    std::optional<Concat> found;
    for (std::size_t at = 0; at + 2 <= header.size();) {
        const unsigned id = header[at], size = header[at + 1];
        if (at + 2 + size > header.size()) break;
        const std::uint8_t* value = header.data() + at + 2;
        if (id == 0x00 && size == 3) found = Concat{value[0], value[1], value[2], 8};
        if (id == 0x08 && size == 4) found = Concat{static_cast<unsigned>(value[0] << 8 | value[1]), value[2], value[3], 16};
        at += 2 + size;
    }
    if (found && (found->seq == 0 || found->seq > found->total)) found.reset();
    return found;
}

std::string UserData::text() const {
    const std::size_t header = udhi && !octets.empty() ? octets[0] + 1U : 0;
    if (header > octets.size()) return {};
    if (alphabet_of(dcs) == Alphabet::gsm7) {
        const std::size_t skip = (header * 8 + 6) / 7;
        Octets septets = unpack(octets, length);
        septets.erase(septets.begin(), septets.begin() + static_cast<std::ptrdiff_t>(std::min(skip, septets.size())));
        return to_utf8(from_gsm7(septets));
    }
    const Octets rest{octets.begin() + static_cast<std::ptrdiff_t>(header), octets.end()};
    return alphabet_of(dcs) == Alphabet::ucs2 ? to_utf8(from_ucs2(rest)) : to_hex(rest);
}

Alphabet alphabet_of(std::uint8_t dcs) {
    const unsigned group = dcs >> 4;
    if (group == 0xe) return Alphabet::ucs2;
    if (group == 0xf) return dcs & 4U ? Alphabet::data : Alphabet::gsm7;
    if (group >= 8) return Alphabet::gsm7;   // reserved groups and message waiting with the default alphabet
    if (dcs & 0x20U) return Alphabet::data;  // compressed: octets
    switch (dcs & 0x0cU) {
        case 4: return Alphabet::data;
        case 8: return Alphabet::ucs2;
        default: return Alphabet::gsm7;
    }
}

std::optional<int> class_of(std::uint8_t dcs) {
    const unsigned group = dcs >> 4;
    if ((group < 8 && dcs & 0x10U) || group == 0xf) return static_cast<int>(dcs & 3U);
    return std::nullopt;
}

std::optional<Submit> read_submit(const Octets& tpdu) {
    Reader in{tpdu};
    const unsigned first = in.octet();
    if ((first & 3U) != 1) return std::nullopt;
    Submit s;
    s.rd = first & 4U;
    s.vpf = static_cast<std::uint8_t>(first >> 3 & 3U);
    s.srr = first & 0x20U;
    s.rp = first & 0x80U;
    s.mr = in.octet();
    s.to = in.address();
    s.pid = in.octet();
    const std::uint8_t dcs = in.octet();
    s.validity = in.take(s.vpf == 0 ? 0 : s.vpf == 2 ? 1 : 7);
    s.data = in.user_data(dcs, first & 0x40U);
    if (!in.done()) return std::nullopt;
    return s;
}

Octets write_submit(const Submit& s) {
    const unsigned first =
        1U | (s.rd ? 4U : 0U) | static_cast<unsigned>(s.vpf) << 3 | (s.srr ? 0x20U : 0U) | (s.data.udhi ? 0x40U : 0U) | (s.rp ? 0x80U : 0U);
    Octets out{static_cast<std::uint8_t>(first), s.mr};
    put_address(out, s.to);
    out.push_back(s.pid);
    out.push_back(s.data.dcs);
    append(out, s.validity);
    put_user_data(out, s.data);
    return out;
}

Octets write_deliver(const Deliver& d) {
    const unsigned first = (d.more ? 0U : 4U) | (d.srr ? 0x20U : 0U) | (d.data.udhi ? 0x40U : 0U) | (d.rp ? 0x80U : 0U);
    Octets out{static_cast<std::uint8_t>(first)};
    put_address(out, d.from);
    out.push_back(d.pid);
    out.push_back(d.data.dcs);
    put_time(out, d.time, d.zone);
    put_user_data(out, d.data);
    return out;
}

Octets write_report(const Report& r) {
    Octets out{0x06, r.mr};
    put_address(out, r.to);
    put_time(out, r.submitted, r.zone);
    put_time(out, r.discharged, r.zone);
    out.push_back(r.status);
    return out;
}

std::optional<Summary> read_summary(const Octets& tpdu, bool sent) {
    Reader in{tpdu};
    Summary s;
    s.first = in.octet();
    s.mti = s.first & 3U;
    if (sent) {
        const auto submit = read_submit(tpdu);
        if (!submit) return std::nullopt;
        s.pid = submit->pid, s.mr = submit->mr, s.address = submit->to, s.data = submit->data;
        return s;
    }
    if (s.mti == 2) {
        s.mr = in.octet();
        s.address = in.address();
        s.time = in.time();
        s.time2 = in.time();
        s.status = in.octet();
    } else if (s.mti == 0) {
        s.address = in.address();
        s.pid = in.octet();
        const std::uint8_t dcs = in.octet();
        s.time = in.time();
        s.data = in.user_data(dcs, s.first & 0x40U);
    }
    if (!in.good()) return std::nullopt;
    return s;
}

Octets write_smsc(std::string_view number) {
    if (number.empty()) return {0};
    const Address a = make_address(number);
    const Octets digits = bcd(a.digits);
    Octets out{static_cast<std::uint8_t>(digits.size() + 1), a.toa};
    append(out, digits);
    return out;
}

std::size_t smsc_length(const Octets& pdu) {
    return pdu.empty() ? 0 : pdu[0] + 1U;
}

std::optional<std::vector<UserData>> split_text(std::u32string_view text, const SplitOptions& o) {
    const auto septets = to_gsm7(text);
    const Alphabet alphabet = o.alphabet.value_or(septets ? Alphabet::gsm7 : Alphabet::ucs2);
    if (alphabet == Alphabet::gsm7 && !septets) return std::nullopt;
    const std::string utf8 = alphabet == Alphabet::data ? to_utf8(text) : std::string{};
    const Octets units = alphabet == Alphabet::gsm7   ? *septets
                         : alphabet == Alphabet::ucs2 ? to_ucs2(text)
                                                      : Octets{utf8.begin(), utf8.end()};
    const auto room_after = [&](std::size_t header) {
        return alphabet == Alphabet::gsm7 ? (140 * 8 - header * 8) / 7 : alphabet == Alphabet::ucs2 ? (140 - header) / 2 * 2 : 140 - header;
    };
    if (units.size() <= room_after(o.extra_udh.empty() ? 0 : o.extra_udh.size() + 1)) {
        return std::vector{make_part(alphabet, o.message_class, o.extra_udh, units)};
    }
    const std::size_t room = room_after(o.extra_udh.size() + (o.wide ? 7 : 6));
    std::vector<Octets> pieces;
    for (std::size_t at = 0; at < units.size();) {
        const std::size_t n = cut(units, at, room, alphabet, o.split_surrogates);
        pieces.emplace_back(units.begin() + static_cast<std::ptrdiff_t>(at), units.begin() + static_cast<std::ptrdiff_t>(at + n));
        at += n;
    }
    if (pieces.size() > 255) return std::nullopt;
    std::vector<UserData> parts;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        Octets udh = o.wide ? Octets{8, 4, static_cast<std::uint8_t>(o.reference >> 8)} : Octets{0, 3};
        udh.push_back(static_cast<std::uint8_t>(o.reference));
        udh.push_back(static_cast<std::uint8_t>(pieces.size()));
        udh.push_back(static_cast<std::uint8_t>(i + 1));
        append(udh, o.extra_udh);
        parts.push_back(make_part(alphabet, o.message_class, udh, pieces[i]));
    }
    return parts;
}

}  // namespace conductor::modemsim
