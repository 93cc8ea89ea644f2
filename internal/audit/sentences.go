package audit

// sentences are what reports say. Serbian is in Cyrillic.
var sentences = map[string]sentence{
	FactIncluded: {
		"Entry %[1]s of %[2]s is exactly what is shown here: the log's key signed a tree of %[3]s entries that contains it.",
		"Запис %[1]s књиге %[2]s управо је оно што је овде приказано: кључ књиге потписао је стабло од %[3]s записа које га садржи."},
	FactReceived: {
		"Received on %[1]s, by the exchange's own clock.",
		"Примљено %[1]s, по сату сервера за размену."},
	FactSigned: {
		"%[1]s about %[2]s, signed by officer %[3]s for desk %[4]s of institution %[5]s (%[6]s), key %[7]s.",
		"%[1]s о %[2]s, потписао службеник %[3]s за сто %[4]s институције %[5]s (%[6]s), кључ %[7]s."},
	FactCosigned: {
		"Signed as well by officer %[1]s of institution %[2]s, key %[3]s.",
		"Потписао је и службеник %[1]s институције %[2]s, кључ %[3]s."},
	FactCustodian: {
		"%[1]s about desk %[2]s, signed by a custodian of institution %[3]s (%[4]s), key %[5]s.",
		"%[1]s о столу %[2]s, потписао чувар резервних кључева институције %[3]s (%[4]s), кључ %[5]s."},
	FactReleased: {
		"The escrow of desk %[1]s (keys %[2]s) was released for %[3]s, to be received by officer %[4]s, until %[6]s, to the custodians with the keys %[5]s, who had asked for it. Their requests are entries of their own.",
		"Резервни кључеви стола %[1]s (бројеви %[2]s) пуштени су, сврха %[3]s, прималац службеник %[4]s, до %[6]s, чуварима са кључевима %[5]s, који су то тражили. Њихови захтеви су засебни записи."},
	FactServerMade: {
		"%[1]s about %[2]s: the exchange made this entry itself, no officer signed it.",
		"%[1]s о %[2]s: овај запис је сачинио сам сервер, ниједан службеник га није потписао."},
	FactSilence: {
		"At entry %[1]s the exchange put on record that obligation %[2]s (rule %[3]s, due %[4]s), owed by %[6]s to %[7]s, stood as: %[5]s.",
		"У запису %[1]s сервер је забележио да обавеза %[2]s (правило %[3]s, рок %[4]s), коју %[6]s дугује %[7]s, стоји овако: %[5]s."},
	FactSilenceMeans: {
		"From then on one proof of a fulfilling leaf with an index smaller than %[1]s convicts the operator. It proves this and nothing stronger.",
		"Од тада један доказ о листу испуњења чији је редни број мањи од %[1]s оптужује оператера. Доказује то и ништа јаче."},
	FactSilent: {
		"At entry %[1]s the exchange put on record that obligation %[2]s stood as: %[3]s.",
		"У запису %[1]s сервер је забележио да обавеза %[2]s стоји овако: %[3]s."},
	FactMoved: {
		"Entry %[1]s, before it, is %[2]s about %[3]s, and left the obligation as: %[4]s.",
		"Запис %[1]s, пре тога, је %[2]s о %[3]s, и оставио је обавезу овако: %[4]s."},
	FactActed: {
		"Entry %[1]s, before it, is %[2]s about %[3]s, and holds a signed act that fulfils the obligation.",
		"Запис %[1]s, пре тога, је %[2]s о %[3]s, и садржи потписану радњу која испуњава обавезу."},
	FactConvicted: {
		"CONVICTED: both cannot be true of obligation %[1]s, and the log's key signed both. Keep the two files: they speak for themselves.",
		"ОСУЂЕН: за обавезу %[1]s не може бити тачно и једно и друго, а кључ књиге је потписао обоје. Сачувајте обе датотеке: оне говоре саме за себе."},
	FactChain: {
		"The key chain (directory entries: %[1]s) leads there from the genesis: each entry is in the signed directory log, and every signature verifies.",
		"Ланац кључева (записа именика: %[1]s) води дотле од почетног записа: сваки запис је у потписаној књизи именика и сваки потпис је исправан."},
	FactAccepted: {
		"That the key was not revoked, and that the officer still belonged to the desk, rests on the exchange having accepted the entry. Give an audit bundle as well to check it against the full directory.",
		"Да кључ није био опозван и да је службеник још припадао столу почива на томе што је сервер прихватио запис. Приложите и ревизорски пакет да се то провери према целом именику."},
	FactReplayed: {
		"The full directory, replayed, shows that every signer's key was in force when the entry was accepted under %[1]s directory entries.",
		"Цео именик, поново изведен, показује да је кључ сваког потписника важио када је запис прихваћен, при %[1]s записа именика."},
	FactPinned: {
		"The genesis is the one you gave.",
		"Почетни запис је онај који сте навели."},
	FactNotPinned: {
		"Not pinned: the genesis found is %[1]s. Compare it with the annex of the agreement; everything said here rests on it.",
		"Није утврђено порекло: нађени почетни запис је %[1]s. Упоредите га са прилогом споразума; све овде речено почива на њему."},
	FactUnwitnessed: {
		"Unwitnessed: no other body cosigned, so a second, different history would not show.",
		"Без сведока: ниједно друго тело није супотписало, па се друга, другачија историја не би видела."},
	FactConfirmed: {
		"Confirmed: as many witnesses cosigned as the directory asks for.",
		"Потврђено: супотписало је онолико сведока колико именик тражи."},
	FactProvisional: {
		"Provisional: fewer witnesses cosigned than the directory asks for. Treat it as provisional.",
		"Привремено: супотписало је мање сведока него што именик тражи. Сматрајте га привременим."},
	FactCosigners: {
		"Witnesses that cosigned the checkpoint: %[1]s of %[2]s that the directory names: %[3]s.",
		"Сведоци који су супотписали контролну тачку: %[1]s од %[2]s које именик наводи: %[3]s."},
	FactBounded: {
		"Witnesses saw it in the log by their own clocks at the latest: the first on %[1]s, the last on %[2]s.",
		"Сведоци су је видели у књизи најкасније, по својим сатовима: први %[1]s, последњи %[2]s."},
	FactTimeAfter: {
		"TIMES CONTRADICT EACH OTHER: a witness saw it on %[1]s, before the time that the exchange gives, %[2]s. One of the two clocks was wrong.",
		"ВРЕМЕНА СЕ НЕ СЛАЖУ: сведок га је видео %[1]s, пре времена које сервер наводи, %[2]s. Један од два сата није био тачан."},
	FactTimeBefore: {
		"The exchange says %[1]s; no witness saw it before %[2]s. For the time in between there is only the word of the exchange.",
		"Сервер каже %[1]s; ниједан сведок га није видео пре %[2]s. За време између постоји само реч сервера."},
	FactDemo: {
		"Demonstration: this proves nothing about real institutions.",
		"Показни рад: ово не доказује ништа о стварним институцијама."},
	FactVersion: {
		"Version %[2]s of consent %[1]s: %[3]s, received %[4]s, recorded by institution %[5]s.",
		"Верзија %[2]s сагласности %[1]s: %[3]s, примљено %[4]s, забележила институција %[5]s."},
	FactScope: {
		"It names: from %[1]s; to %[2]s; purposes %[3]s; data %[4]s; from %[5]s until %[6]s.",
		"Обухвата: од %[1]s; за %[2]s; сврхе %[3]s; подаци %[4]s; од %[5]s до %[6]s."},
	FactVersions: {
		"Versions %[2]s to %[3]s of consent %[1]s, none left out between them. Whether a later one exists this receipt cannot show.",
		"Верзије %[2]s до %[3]s сагласности %[1]s, без изостављених међу њима. Постоји ли каснија, ова потврда не може показати."},
	FactProofOnly: {
		"The entry given is entry %[1]s of %[2]s, in a tree of %[3]s entries under a signed checkpoint.",
		"Дати запис је запис %[1]s књиге %[2]s, у стаблу од %[3]s записа под потписаном контролном тачком."},
	FactGivenKey: {
		"The log's key is the one you gave, %[1]s; that it is the log's rests on you.",
		"Кључ књиге је онај који сте навели, %[1]s; да је заиста њен почива на вама."},
	FactBundle: {
		"Audit bundle of %[1]s, made %[4]s. Entries of the directory: %[2]s; of the evidence: %[3]s.",
		"Ревизорски пакет за %[1]s, сачињен %[4]s. Записи именика: %[2]s; записи доказа: %[3]s."},
	FactTrees: {
		"Both logs were computed again from their entries and give exactly the signed roots: nothing was changed, removed or put in between.",
		"Обе књиге су поново израчунате из својих записа и дају управо потписане корене: ништа није измењено, уклоњено ни уметнуто."},
	FactDirectory: {
		"The directory was replayed (entries: %[1]s): each entry was signed by those who may and follows the rules.",
		"Именик је поново изведен (записа: %[1]s): сваки запис су потписали они који смеју и сваки следи правила."},
	FactShown: {
		"Evidence entries opened: %[1]s of %[2]s. Each opening is the one recorded.",
		"Отворени записи доказа: %[1]s од %[2]s. Свако отварање је оно које је забележено."},
	FactComplete: {
		"Complete: every entry is opened or accounted for by an erasure on record (erased: %[1]s).",
		"Потпуно: сваки запис је отворен или покривен забележеним брисањем (обрисано: %[1]s)."},
	FactMissing: {
		"Entries not shown: %[1]s of %[2]s. What they say is not known from this bundle.",
		"Записи који нису приказани: %[1]s од %[2]s. Из овог пакета се не зна шта у њима пише."},
	FactMetaOnly: {
		"Openings of which only the half for oversight is shown, without the signed statement: %[1]s.",
		"Отварања од којих је приказан само део за надзор, без потписане изјаве: %[1]s."},
	FactTraces: {
		"By what oversight sees: obligations opened: %[1]s, each once; what was done to them: %[2]s, each time to one that was opened; refusals on record: %[3]s.",
		"По ономе што надзор види: отворене обавезе: %[1]s, свака једном; радње над њима: %[2]s, свака над отвореном; забележена одбијања: %[3]s."},
	FactOpenings: {
		"Signatures of officers that verify under the keys the directory gave at the time: %[1]s. Order, times and feed numbers fit.",
		"Потписи службеника исправни под кључевима које је именик тада давао: %[1]s. Редослед, времена и бројеви пошиљки се слажу."},
	FactDuties: {
		"Obligations derived again from the openings, up to entry %[2]s, and found as the entries list them: %[1]s.",
		"Обавезе поново изведене из отварања, до записа %[2]s, и нађене онакве какве записи наводе: %[1]s."},
	FactHidden: {
		"Beyond that the obligations were not derived: that takes every entry before.",
		"Даље од тога обавезе нису изведене: за то је потребан сваки ранији запис."},
	FactNoPack: {
		"Beyond that the obligations were not derived: the rule pack %[1]s is not in it.",
		"Даље од тога обавезе нису изведене: пакет правила %[1]s није у њему."},
	FactTooMany: {
		"Beyond that the obligations were not derived: this program remembers at most %[1]s events. The exchange's own check derives them all.",
		"Даље од тога обавезе нису изведене: овај програм памти највише %[1]s догађаја. Провера на самом серверу изводи све."},
	FactSends: {
		"Decisions to let a message pass that were computed again, with the same outcome: %[1]s.",
		"Одлуке да порука прође, поново израчунате са истим исходом: %[1]s."},
	FactCannotShow: {
		"It cannot show: what sealed messages say, what was done off the system, and whether others were shown another history.",
		"Не може показати: шта пише у запечаћеним порукама, шта је учињено ван система, ни да ли је другима показана друга историја."},
	FactSameFile: {
		"The bundle of %[2]s shows the same history: checkpoints of this file found again in it: %[1]s.",
		"Пакет за %[2]s показује исту историју: контролне тачке ове датотеке поново нађене у њему: %[1]s."},
	FactNewerFile: {
		"Checkpoints of this file that are newer than the bundle: %[1]s. Of these only the entries were compared, as far as it holds them.",
		"Контролне тачке ове датотеке новије од пакета: %[1]s. Од њих су упоређени само записи, колико их пакет има."},
	FactPrefix: {
		"%[3]s: the tree of %[1]s entries is the beginning of the tree of %[2]s.",
		"%[3]s: стабло од %[1]s записа почетак је стабла од %[2]s."},
	FactSamePrefix: {
		"Both bundles show one history.",
		"Оба пакета показују једну историју."},
}
