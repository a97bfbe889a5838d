#pragma once
// Optional elements of an SMS-SUBMIT that a network, a service centre or a modem may refuse: the message goes without them.
#include <cstdint>
#include <string>
#include <string_view>

namespace conductor::dispatch {

class Elements {
public:
    enum Element : std::uint8_t {
        report = 1,         ///< TP-SRR
        validity = 2,       ///< TP-VPF and TP-VP
        message_class = 4,  ///< of TP-DCS
    };
    constexpr Elements() = default;
    constexpr Elements(unsigned bits) : bits_{static_cast<std::uint8_t>(bits & 7U)} {}
    constexpr bool has(Element e) const { return (bits_ & e) != 0; }
    constexpr bool empty() const { return bits_ == 0; }
    constexpr Elements operator|(Elements o) const { return {unsigned{bits_} | o.bits_}; }
    constexpr Elements operator&(Elements o) const { return {unsigned{bits_} & o.bits_}; }
    constexpr Elements without(Elements o) const { return {bits_ & ~unsigned{o.bits_}}; }
    constexpr bool operator==(const Elements&) const = default;
    /// "report,validity"; empty for none.
    std::string text() const;
    /// Words that it does not know are left out.
    static Elements of_text(std::string_view text);

private:
    std::uint8_t bits_ = 0;
};

/// What a definite refusal may be about, by its word: cms-69 and cms-99 (an element or facility that is not known), cms-145 (TP-FCS: the
/// class), cms-198 and cms-199 (TP-FCS: the validity period). Nothing for all other words.
Elements blamed_by(std::string_view reason);

}  // namespace conductor::dispatch
