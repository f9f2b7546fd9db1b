# ruff: noqa: E501 - patterns and word lists are read by their members, not by their width
"""What tells what a number is: the words before it, a telephone, a fax or something else; and what is a date or a time."""

from __future__ import annotations

import re

#: The labels are looked for in lower case: without regard to case, a search takes several times as long.
PHONE_LABEL = re.compile(
    r"(?<![^\W\d_])(?:tel(?:e(?:fon(?:nummer|o|u|i|it)?|phone|foon(?:nummer)?|foni?|f))?|tél(?:éphone)?|tlf|tfn|phone|ph|fon|fone|fono|call|mobil\w{0,4}|mob"
    r"|handy|cell(?:ulare|ulaire|ulari)?|celular|móvil|movil|telemóvel|gsm|hotline|whatsapp|rufnummer|ruf|fixe|portable|puhelin|puh|komórka|kom|telefono|teléfono"
    r"|telefone|τηλ\w{0,6}|тел\w{0,6}|電話|电话|電話番号|전화|טלפון|هاتف|contact|kontakt|dial|sms|zentrale|durchwahl|office|direct|appel\w{0,3}|llam\w{1,5}"
    r"|звон\w{0,4}|позвон\w{0,4}|chiama\w{0,2}|emergency|notruf|notdienst|servicenummer|toll[ -]free|freephone|free call|customer service|service client\w{0,2}|servizio clienti|servi[cç]i?o (?:de |ao |al )?cliente|atención al cliente|atendimento|kundeservice|kundservice|kundenservice|klantenservice|infolin(?:k[ae]|ia))(?![^\W\d_])|フリーダイヤル|通話無料|お問い?合わ?せ|☎|📞|📱|✆|🕿"
)
SHORT_PHONE_LABEL = re.compile(r"(?:^|[\s|(])[TtMmPp]\s?[.:|]?\s*$|(?:^|\s)(?:[TMP])\s")
FAX_LABEL = re.compile(
    r"(?<![a-z])(?:tele)?fax(?![a-z])|télécopie|faks|факс|φαξ|传真|傳真|ファックス|팩스|(?:^|[\s|(])f\s?[.:]\s*$|📠|🖷"
)
#: "T 919-951-0052 F 919-928-5516": a lone F is a fax behind a telephone.
FAX_AFTER_PHONE = re.compile(r"(?:^|[\s|(])[TP]\s?[.:]?\s?[+(]?\d[\d\s().\-/]{5,20}\d[\s|,•·]{1,4}F\s?$")
#: Words whose numbers are no telephone numbers.
OTHER_LABEL = re.compile(
    r"(?<![a-z])(?:u?st-?\s?id(?:nr|-nr|entifikations\w*)?|ust\.?-?id|umsatzsteuer\w*|steuer\s?-?n(?:umme)?r|finanzamt|hr[ab]|handelsregister\w*|registernummer|iban|bic|swift"
    r"|konto\w*|blz|kto|vat(?:[ -]?(?:no|number|id|reg\w*))?|tva|tax\s?(?:id|no)\w*|ein|siren|siret|rcs|ape|naf|kbis|abn|acn|arbn|afsl|kvk|btw|bsn|nif|cif|nipc|dni|p\.?\s?iva|partita\s?iva|iva"
    r"|c\.?f|cod(?:ice)?\.?\s?fisc\w*|rea|cnpj|cpf|rut|rfc|cuit|nit|ruc|org(?:anisations|anisasjons|\.)?[ -]?n(?:umme|ú|u)?r|cvr|se-nr|y-tunnus|krs|nip|regon|ičo|ico|dič|dic|cui|adószám"
    r"|company\s(?:no|number|registration)|registered\s(?:in|number|no|company)|registration\s(?:no|number)|reg\.?\s?n[or]|charity\s(?:no|number)\w*|licen[cs]e(?:\s(?:no|number))?|lic"
    r"|npi|ndc|isbn|issn|ean|gtin|upc|sku|asin|artikel\w*|art\.?-?nr|order\s?(?:no|number|id)(?![a-z])|bestell\w*|ref(?:erence)?|invoice|rechnungs\w*|kunden-?n\w*|case|ticket|tracking|serial|model|part\s?n\w*"
    r"|lat(?:itude)?|l(?:ng|ong?|ongitude)|gps|coordinates|koordinaten|postfach|p\.?o\.?\s?box|bp|cp|plz|zip|version|build|id|aktenzeichen|az|betriebsnummer|lanr|bsnr|ik|dea|nmls|dre|mls|crd|finra|dot|mc)"
    r"\s{0,2}(?:[.:#]|nr|no|n°|nº|number|nummer|-|\s)?[\s.:#°º-]{0,4}(?:[a-z]{0,3}\s?-?)$"
)
#: Digits that are a day, years or hours.
DATE = re.compile(
    r"(?<!\d)(?:19|20)\d\d\s?[-–./]\s?(?:0?[1-9]|1[0-2])\s?[-–./]\s?(?:0?[1-9]|[12]\d|3[01])(?!\d)|(?<!\d)(?:0?[1-9]|[12]\d|3[01])\s?[-–./]\s?(?:0?[1-9]|[12]\d|3[01])\s?[-–./]\s?(?:(?:19|20)\d\d|\d\d(?!\d))"
    r"|(?:19|20)\d\d\s?[-–/]\s?(?:19|20)\d\d|\d{1,2}[:.]\d\d\s?[-–]\s?\d{1,2}[:.]\d\d|^(?:19|20)\d{2}\s(?:19|20)\d{2}|^(?:19|20)\d{12}$"
)
TIME_RANGE = re.compile(r"^\d{1,2}[.:]?(?:00|15|30|45)?\s?[-–]\s?\d{1,2}[.:]?(?:00|15|30|45)?$")
