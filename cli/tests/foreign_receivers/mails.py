"""Prints the mails of a Maildir as JSON, in the order of their dates."""
import email
import email.policy
import json
import pathlib
import sys

mails = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("new/*"), key=lambda path: path.stat().st_mtime_ns):
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    told = {name: mail[name] and str(mail[name]) for name in ("subject", "from", "to", "message-id", "references", "in-reply-to")}
    told["parts"] = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    told["defects"] = [str(defect) for part in mail.walk() for defect in part.defects]
    mails.append(told)
print(json.dumps(mails))
