// +CMS ERROR: RP-causes (TS 24.011 table 8.4), TP-FCS (TS 23.040 §9.2.3.22), ME errors (TS 27.005 §3.2.5) and vendors' codes from 512.
#include "modem/at/errors_table.hpp"

namespace conductor::at {
namespace {

using enum ErrorClass;
using namespace advice;
constexpr Scope R = Scope::recipient, S = Scope::sim, M = Scope::modem, N = Scope::network, X = Scope::message;
constexpr bool yes = true, no = false;  // counts as an attempt

constexpr ErrorRow rows[] = {
    // RP-causes
    {1, 1, permanent_recipient, R, yes, 0, 0, "The number is not assigned.", wrong_number},
    {8, 8, human, S, no, 0, 0, "The operator barred this SIM from sending.", plan},
    {10, 10, human, S, no, 2, 0, "Outgoing SMS are barred for this SIM, or to this number.", plan},
    {11, 11, transient, X, yes, 2, 0, "The network refused with a reserved cause.", later},
    {17, 17, transient, N, yes, 0, 0, "The network failed on the way.", later},
    {21, 21, transient, S, yes, 2, 0, "The service centre rejected the transfer: a spam filter or no credit, where it repeats.", later},
    {22, 22, transient, R, yes, 0, 900, "Memory is full at the recipient, or the network is congested.", much_later},
    {27, 27, transient, R, yes, 0, 900, "The recipient's phone cannot be reached now.", much_later},
    {28, 28, permanent_recipient, R, yes, 0, 0, "The network cannot identify the recipient.", wrong_number},
    {29, 29, human, S, no, 0, 0, "The SIM's plan, or roaming, does not allow SMS.", plan},
    {30, 30, permanent_recipient, R, yes, 0, 0, "The network does not know the recipient.", wrong_number},
    {34, 34, human, S, no, 2, 0, "No channel is free: often a prepaid SIM without credit.", plan, AtLimit::rest_sim},
    {38, 38, transient, R, yes, 3, 0, "The network is out of order, or the number is disabled.", later},
    {41, 41, transient, N, yes, 0, 0, "A temporary failure of the network.", later},
    {42, 42, transient, N, yes, 0, 0, "The network is congested.", later},
    {47, 47, transient, N, yes, 0, 0, "The network has no resources free.", later},
    {50, 50, human, S, no, 0, 0, "SMS is not part of this SIM's plan.", plan},
    {69, 69, human, S, no, 2, 0, "The network does not offer this: often no credit, or SMS is not in the plan.", plan},
    {81, 81, busy, X, no, 2, 2, "The network lost track of this transfer.", soon},
    {95, 95, permanent_content, X, yes, 0, 0, "The network calls the message semantically incorrect.", our_content},
    {96, 96, permanent_content, X, yes, 0, 0, "A mandatory field is invalid, mostly the address.", our_content},
    {97, 97, permanent_content, X, yes, 0, 0, "The network does not know this type of message.", our_content},
    {98, 98, busy, M, no, 2, 2, "The modem and the network disagree about the state of the transfer.", soon},
    {99, 99, permanent_content, X, yes, 2, 0, "The network does not know an element of the message.", our_content},
    {111, 111, transient, N, yes, 3, 0, "A protocol error between modem and network.", later},
    {127, 127, transient, X, yes, 3, 0, "Another network refused on the way, without saying why.", later},
    // TP-FCS
    {128, 128, permanent_content, X, yes, 0, 0, "The service centre does not offer this interworking (TP-PID).", our_content},
    {129, 129, permanent_content, X, yes, 0, 0, "The service centre does not take type 0 messages.", our_content},
    {130, 130, permanent_content, X, yes, 0, 0, "The service centre cannot replace messages.", our_content},
    {131, 143, permanent_content, X, yes, 0, 0, "The service centre refuses this TP-PID.", our_content},
    {144, 144, permanent_content, X, yes, 0, 0, "The service centre does not take this alphabet.", our_content},
    {145, 145, permanent_content, X, yes, 0, 0, "The service centre does not take this message class.", our_content},
    {146, 159, permanent_content, X, yes, 0, 0, "The service centre refuses this TP-DCS.", our_content},
    {160, 160, permanent_content, X, yes, 0, 0, "The service centre cannot carry out the command.", our_content},
    {161, 161, permanent_content, X, yes, 0, 0, "The service centre does not know the command.", our_content},
    {162, 175, permanent_content, X, yes, 0, 0, "The service centre refuses the command.", our_content},
    {176, 191, permanent_content, X, yes, 0, 0, "The service centre does not take this TPDU.", our_content},
    {192, 192, transient, N, yes, 0, 0, "The service centre is busy.", later},
    {193, 193, human, S, no, 0, 0, "This SIM has no subscription at that service centre: plan, or a wrong number of the centre.", plan},
    {194, 194, transient, N, yes, 0, 0, "The service centre failed.", later},
    {195, 195, permanent_recipient, R, yes, 0, 0, "The service centre calls the number invalid.", wrong_number},
    {196, 196, permanent_recipient, R, yes, 0, 0, "The recipient's number is barred.", wrong_number},
    {197, 197, duplicate, X, yes, 0, 0, "The service centre holds this message already.", already},
    {198, 198, permanent_content, X, yes, 0, 0, "The service centre does not take this format of the validity period.", our_content},
    {199, 199, permanent_content, X, yes, 0, 0, "The service centre does not take this validity period.", our_content},
    {200, 207, transient, N, yes, 2, 0, "The service centre refused with a reserved cause.", later},
    {208, 208, busy, S, no, 5, 2, "The SIM's storage is full.", sweep},
    {209, 209, permanent_content, M, no, 2, 0, "The SIM has no storage for messages.", other_modem},
    {210, 210, modem, M, no, 2, 0, "An error inside the modem.", recovery},
    {211, 211, busy, M, no, 5, 2, "The modem's memory is full.", sweep},
    {212, 212, busy, S, no, 5, 3, "The SIM's toolkit is busy.", soon},
    {213, 213, transient, N, yes, 2, 0, "Data could not be loaded to the SIM.", later},
    {214, 223, transient, N, yes, 2, 0, "A reserved cause of failure.", later},
    {224, 254, transient, N, yes, 2, 0, "A cause of failure that only this operator knows.", later},
    {255, 255, transient, N, yes, 3, 0, "The service centre refused without saying why.", later},
    {256, 256, busy, M, no, 5, 3, "The modem cannot do this just now.", soon},
    // ME errors
    {300, 300, modem, M, no, 0, 0, "The modem failed.", recovery},
    {301, 301, busy, M, no, 3, 2, "Another program holds the modem's SMS service.", soon},
    {302, 302, busy, M, no, 3, 2, "The modem does not allow this in its present state.", soon},
    {303, 303, permanent_content, M, no, 2, 0, "The modem does not support this.", other_modem},
    {304, 304, permanent_content, X, yes, 0, 0, "The modem calls a field of the PDU wrong.", our_content},
    {305, 305, permanent_content, X, yes, 0, 0, "The modem calls a parameter of text mode wrong.", our_content},
    {310, 310, human, S, no, 0, 0, "No SIM is inserted.", put_sim},
    {311, 311, human, S, no, 0, 0, "The SIM wants its PIN.", enter_pin},
    {312, 312, human, S, no, 0, 0, "The modem wants the PIN that ties it to its SIM.", unlock},
    {313, 313, modem, S, no, 2, 0, "The SIM failed.", recovery},
    {314, 314, busy, S, no, 5, 2, "The SIM is busy.", soon},
    {315, 315, human, S, no, 0, 0, "This is the wrong SIM for the modem.", put_sim},
    {316, 316, human, S, no, 0, 0, "The SIM is blocked and wants its PUK.", enter_puk},
    {317, 317, human, S, no, 0, 0, "The SIM wants its PIN2: it allows fixed numbers alone.", unlock},
    {318, 318, human, S, no, 0, 0, "The SIM wants its PUK2: it allows fixed numbers alone.", unlock},
    {320, 320, busy, M, no, 3, 2, "The modem's memory failed.", soon},
    {321, 321, modem, M, no, 0, 0, "The modem names a place of its memory that does not exist.", recovery},
    {322, 322, busy, M, no, 5, 2, "The modem's memory is full.", sweep},
    {330, 330, human, S, no, 2, 0, "The number of the service centre is not known.", set_smsc, AtLimit::rest_sim},
    {331, 331, transient, N, no, 0, 0, "The modem has no network.", when_registered},
    {332, 332, transient, N, no, 0, 0, "The network did not answer in time.", later},
    {340, 340, modem, M, no, 0, 0, "The modem expected no acknowledgement.", recovery},
    // vendors
    {500, 500, transient, S, yes, 3, 0, "An unknown error: where it repeats, often balance or plan.", later},
    {512, 512, busy, M, no, 5, 3, "The modem was interrupted, mostly by an incoming message.", soon},
    {513, 514, permanent_content, X, yes, 0, 0, "The modem cannot store or prepare the message.", our_content},
    {515, 515, busy, M, no, 5, 2, "The modem asks to wait.", soon},
    {516, 520, permanent_content, X, yes, 0, 0, "The modem calls the message's text or length wrong.", our_content},
    {521, 521, transient, X, yes, 0, 0, "A timer of the modem ran out.", later},
    {522, 522, busy, M, no, 5, 3, "The modem cannot do this just now.", soon},
    {532, 532, busy, S, no, 5, 3, "The SIM is not ready.", soon},
    {535, 535, busy, N, no, 5, 3, "The packet service is busy.", soon},
    {538, 538, permanent_content, X, yes, 0, 0, "The modem calls a parameter invalid.", our_content},
    {549, 554, permanent_content, X, yes, 0, 0, "The modem calls a length or an address of the PDU wrong.", our_content},
    {615, 616, transient, N, no, 0, 0, "The network failed or is down.", when_registered},
    {640, 640, busy, M, no, 5, 3, "The modem cannot do this just now.", soon},
    {770, 770, human, S, no, 0, 0, "The network rejects this SIM.", blocked_sim},
    {772, 772, modem, S, no, 0, 0, "The SIM has no power.", recovery},
};

}  // namespace

std::span<const ErrorRow> cms_rows() {
    return rows;
}

}  // namespace conductor::at
