/**
 * The currencies that money can be in: those of ISO 4217 in which people pay, and those that Stripe charges in. UGX is not one:
 * Stripe's documentation says both that it has no decimals and that it has two, so its minor units are not certain.
 */
const supported: ReadonlySet<string> = new Set(
  (
    'aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn bzd cad cdf chf clp cny cop ' +
    'crc cup cve czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr iqd irr ' +
    'isk jmd jod jpy kes kgs khr kmf kpw krw kwd kyd kzt lak lbp lkr lrd lsl lyd mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn ' +
    'myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sdg sek sgd shp sle sos srd ' +
    'ssp std stn svc syp szl thb tjs tmt tnd top try ttd twd tzs uah usd uyu uzs ved ves vnd vuv wst xaf xcd xcg xof xpf yer zar ' +
    'zmw zwg'
  ).split(' '),
);

/** Whether money that comes in may be in this currency, in lower case. What the log holds already may be in any. */
export const isSupportedCurrency = (currency: string): boolean => supported.has(currency);
