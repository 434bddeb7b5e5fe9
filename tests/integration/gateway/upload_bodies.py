"""Bodies of uploads: a CSV file, and a form with parts."""

CSV = b"subject,description,status\nBuy milk,,pending\n"
CSV_HEADERS = {"content-type": "text/csv"}


def part(name, content, file_name=""):
    file_name_parameter = f'; filename="{file_name}"' if file_name else ""
    head = f'--boundary\r\nContent-Disposition: form-data; name="{name}"{file_name_parameter}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def multipart(*parts, end=b"--boundary--\r\n"):
    return {"content": b"".join(parts) + end, "headers": {"content-type": "multipart/form-data; boundary=boundary"}}
