"""ModemManager with one modem: python-dbusmock's template and the interface for messages, which the
template lacks. What is sent and what is deleted is a JSON document on a line of a file.

modemmanager.py INBOX
"""

import json
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from dbusmock import mockobject
from dbusmock.templates import modemmanager as template
from gi.repository import GLib

MESSAGING = "org.freedesktop.ModemManager1.Modem.Messaging"
SMS = "org.freedesktop.ModemManager1.Sms"
# MMSmsState
UNKNOWN, SENT = 0, 5


def main(inbox):
    file = open(inbox, "a", encoding="utf-8")
    count = 0

    def note(entry):
        file.write(json.dumps(entry) + "\n")
        file.flush()

    def create(modem, properties):
        nonlocal count
        path = f"/org/freedesktop/ModemManager1/SMS/{count}"
        count += 1
        known = {
            "State": dbus.UInt32(UNKNOWN),
            "Number": properties["number"],
            "Text": properties["text"],
        }
        modem.AddObject(path, SMS, known, [("Send", "", "", send)])
        modem.EmitSignal(MESSAGING, "Added", "ob", [dbus.ObjectPath(path), False])
        return dbus.ObjectPath(path)

    def send(sms):
        sms.UpdateProperties(SMS, {"State": dbus.UInt32(SENT)})
        known = sms.props[SMS]
        note({"to": str(known["Number"]), "text": str(known["Text"])})

    def delete(modem, path):
        modem.RemoveObject(path)
        note({"deleted": str(path)})

    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    name = dbus.service.BusName(template.BUS_NAME, bus, do_not_queue=True)
    manager = mockobject.DBusMockObject(
        name, template.MAIN_OBJ, template.MAIN_IFACE, {}, is_object_manager=False
    )
    mockobject.objects[template.MAIN_OBJ] = manager
    template.load(manager, {})
    template.AddSimpleModem(manager)
    modem = mockobject.objects[template.SIMPLE_MODEM_PATH]
    registered = dbus.Int32(template.MMModemState.STATE_REGISTERED)
    modem.UpdateProperties(template.MODEM_IFACE, {"State": registered})
    modem.AddProperties(MESSAGING, {"Messages": dbus.Array([], signature="o")})
    modem.AddMethods(
        MESSAGING,
        [("Create", "a{sv}", "o", create), ("Delete", "o", "", delete)],
    )
    note({"ready": True})
    GLib.MainLoop().run()


main(sys.argv[1])
