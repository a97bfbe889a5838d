// +CME ERROR (TS 27.007 §9.2).
#include "modem/at/errors_table.hpp"

namespace conductor::at {
namespace {

using enum ErrorClass;
using namespace advice;
constexpr Scope S = Scope::sim, M = Scope::modem, N = Scope::network, X = Scope::message;
constexpr bool yes = true, no = false;  // counts as an attempt

constexpr ErrorRow rows[] = {
    {0, 0, modem, M, no, 2, 0, "The phone part of the modem failed.", recovery},
    {1, 1, modem, M, no, 0, 0, "The modem has no connection to its phone part.", recovery},
    {2, 2, modem, M, no, 0, 0, "The link to the phone part is reserved.", recovery},
    {3, 3, busy, M, no, 3, 2, "The modem does not allow this in its present state.", soon},
    {4, 4, permanent_content, M, no, 2, 0, "The modem does not support this.", other_modem},
    {5, 7, human, S, no, 0, 0, "The modem is tied to another SIM and wants its PIN or PUK.", unlock},
    {10, 10, human, S, no, 0, 0, "No SIM is inserted.", put_sim},
    {11, 11, human, S, no, 0, 0, "The SIM wants its PIN.", enter_pin},
    {12, 12, human, S, no, 0, 0, "The SIM is blocked and wants its PUK.", enter_puk},
    {13, 13, modem, S, no, 2, 0, "The SIM failed.", recovery},
    {14, 14, busy, S, no, 5, 2, "The SIM is busy.", soon},
    {15, 15, human, S, no, 0, 0, "This is the wrong SIM for the modem.", put_sim},
    {16, 16, human, S, no, 0, 0, "The PIN was wrong. It is not tried again.", enter_pin},
    {17, 17, human, S, no, 0, 0, "The SIM wants its PIN2: it allows fixed numbers alone.", unlock},
    {18, 18, human, S, no, 0, 0, "The SIM wants its PUK2: it allows fixed numbers alone.", unlock},
    {20, 20, busy, M, no, 5, 2, "The modem's memory is full.", sweep},
    {21, 22, modem, M, no, 0, 0, "The modem names a place of its memory that does not exist.", recovery},
    {23, 23, modem, M, no, 0, 0, "The modem's memory failed.", recovery},
    {24, 27, permanent_content, X, yes, 0, 0, "The modem calls the text or the number too long or its characters wrong.", our_content},
    {30, 30, transient, N, no, 0, 0, "The modem has no network.", when_registered},
    {31, 31, transient, N, no, 0, 0, "The network did not answer in time.", later},
    {32, 32, transient, N, no, 0, 0, "The network takes emergency calls alone.", when_registered},
    {40, 47, human, S, no, 0, 0, "The modem is locked to an operator or service.", unlock},
    {48, 49, human, S, no, 0, 0, "The SIM wants a key that only its operator has.", blocked_sim},
    {50, 50, permanent_content, X, yes, 0, 0, "The modem calls a parameter wrong.", our_content},
    {51, 51, modem, M, no, 0, 0, "The modem has this function switched off.", recovery},
    {52, 52, busy, M, no, 5, 3, "The modem was interrupted.", soon},
    {53, 55, modem, M, no, 0, 0, "The modem runs with reduced functions.", recovery},
    {56, 56, human, S, no, 0, 0, "The SIM allows fixed numbers alone.", unlock},
    {57, 57, busy, M, no, 5, 3, "The modem is occupied by something else.", soon},
    {58, 58, permanent_content, X, yes, 0, 0, "The modem does not know this alphabet.", our_content},
    {59, 59, permanent_content, X, yes, 0, 0, "The modem calls a value out of range.", our_content},
    {60, 60, modem, M, no, 2, 0, "The modem reports a failure of its system.", recovery},
    {61, 61, permanent_content, X, yes, 0, 0, "The modem finds data missing.", our_content},
    {62, 62, human, S, no, 0, 0, "The service is barred for this SIM.", plan},
    {100, 100, modem, M, no, 2, 0, "The modem reports an unknown failure.", recovery},
    {103, 103, human, S, no, 0, 0, "The network refuses this SIM as illegal.", blocked_sim},
    {106, 106, human, S, no, 0, 0, "The network refuses this device (IMEI) as illegal.", blocked_sim},
    {107, 107, human, S, no, 0, 0, "The network does not allow this service to the SIM.", plan},
    {111, 113, human, S, no, 0, 0, "This network, area or roaming is not allowed to the SIM.", plan},
    {132, 134, human, S, no, 0, 0, "The service is not supported, not subscribed, or out of order.", plan},
    {148, 150, transient, N, yes, 0, 0, "An error of the data path.", later},
    {515, 515, busy, M, no, 5, 2, "The modem asks to wait.", soon},
};

}  // namespace

std::span<const ErrorRow> cme_rows() {
    return rows;
}

}  // namespace conductor::at
